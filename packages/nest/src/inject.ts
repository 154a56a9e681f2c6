import { Inject } from '@nestjs/common'
import { REQUEST } from '@nestjs/core'
import type { AnyQueue } from '@pgq/core'
import { checkQueue } from './declarations.ts'
import { getPgqToken, getQueueToken, JOB_CONTEXT } from './tokens.ts'

/** What can stand before a parameter of a constructor, or a property. */
export type InjectDecorator = PropertyDecorator & ParameterDecorator

/** Injects the `Pgq` of a connection. @param connection the `name` it was given in `forRoot` @default 'default' */
export function InjectPgq(connection?: string): InjectDecorator {
  return Inject(getPgqToken(connection))
}

/**
 * Injects the `QueueClient` of a queue, which a module got by `PgqModule.forFeature([queue])`.
 * @param connection the `name` it was given in `forRoot` @default 'default'
 * @throws PgqError INVALID_QUEUE
 * @example
 * constructor(@InjectQueue(receipts) private readonly receipts: QueueClient<typeof receipts>) {}
 */
export function InjectQueue(queue: AnyQueue, connection?: string): InjectDecorator {
  checkQueue('@InjectQueue', queue)
  return Inject(getQueueToken(queue, connection))
}

/** Injects the job into a request-scoped provider that was made for it. The same as `@Inject(REQUEST)`. */
export function InjectJob(): InjectDecorator {
  return Inject(REQUEST)
}

/**
 * Injects the context of the job into a request-scoped provider that was made for it: a `JobContext`, or a
 * `TransactionalJobContext` when the handler is transactional. Undefined in a provider made for something else, such as an HTTP request.
 */
export function InjectJobContext(): InjectDecorator {
  return Inject(JOB_CONTEXT)
}
