import { type AnyQueue, type InputOf, schedule, type ScheduleOptions, type ScheduleRule } from '@pgq/core'
import { checkQueue, declare, declareMethod } from './declarations.ts'
import { DEFAULT_CONNECTION } from './tokens.ts'

/** What may be said of a schedule. */
export interface NestScheduleOptions extends ScheduleOptions {
  /** The `name` of the connection in `forRoot`. @default 'default' */
  readonly connection?: string
}

/** A decorator for the class or the method that processes the jobs. */
export type ScheduleDecorator = (
  target: object,
  name?: string | symbol,
  descriptor?: PropertyDescriptor,
) => void

/**
 * Enqueues a job at each tick: once, however many processes the application has. Stands beside `@Processor` or `@Process` of the queue; several may
 * stand there, each with a `name`. It ticks while a worker of the application lives.
 * @throws PgqError INVALID_SCHEDULE, INVALID_QUEUE, INVALID_OPTION
 * @example
 * \@Process(cleanups)
 * \@Schedule(cleanups, { cron: '0 3 * * *', timezone: 'Europe/Berlin' }, { olderThan: '30d' })
 * async cleanUp(job: JobOf<typeof cleanups>) { … }
 */
export function Schedule<Q extends AnyQueue>(
  queue: Q,
  rule: ScheduleRule,
  payload: InputOf<Q>,
  options: NestScheduleOptions = {},
): ScheduleDecorator {
  checkQueue('@Schedule', queue)
  const { connection = DEFAULT_CONNECTION, ...given } = options
  const declaration = { connection, schedule: schedule(queue, rule, payload, given) }
  return (target, name, descriptor) => {
    if (name === undefined) declare('schedule', target, declaration)
    else declareMethod('schedule', '@Schedule', { target, name, descriptor: descriptor ?? {} }, declaration)
  }
}
