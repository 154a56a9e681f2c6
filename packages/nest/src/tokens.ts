import type { InjectionToken } from '@nestjs/common'
import type { AnyQueue } from '@pgq/core'

/** The name of the connection that one means who names none. */
export const DEFAULT_CONNECTION = 'default'

/** The token of the `Pgq` of a connection, for `app.get` and `overrideProvider`. */
export function getPgqToken(connection: string = DEFAULT_CONNECTION): InjectionToken {
  return connection === DEFAULT_CONNECTION ? 'Pgq' : `Pgq ${connection}`
}

/** The token of the `QueueClient` of a queue, for `app.get` and `overrideProvider`. It says what is missing when Nest can't find it. */
export function getQueueToken(queue: AnyQueue, connection: string = DEFAULT_CONNECTION): InjectionToken {
  const on = connection === DEFAULT_CONNECTION ? '' : `, ${connection}`
  return `QueueClient from PgqModule.forFeature([${queue.name}]${on})`
}

/** The token of the options of a connection. */
export function getOptionsToken(connection: string): InjectionToken {
  return `PgqModuleOptions ${connection}`
}

/** The token of what holds a connection's handlers and worker. */
export function getConnectionToken(connection: string): InjectionToken {
  return `PgqConnection ${connection}`
}

/** Says that this application is a test: no connection starts a worker. */
export const TESTING: InjectionToken = Symbol('pgq testing')

/** The context of the job that a request-scoped provider was made for. */
export const JOB_CONTEXT: InjectionToken = Symbol('pgq job context')
