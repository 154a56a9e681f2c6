import type {
  AnyQueue,
  HandlerOptions,
  JobContext,
  JobOf,
  ResultOf,
  TransactionalJobContext,
} from '@pgq/core'
import { knownOptions } from '@pgq/core/options'
import { checkHandler, declareMethod } from './declarations.ts'
import { DEFAULT_CONNECTION } from './tokens.ts'

/** How a method handles the jobs of its queue. */
export interface ProcessOptions extends HandlerOptions {
  /** The `name` of the connection in `forRoot`. @default 'default' */
  readonly connection?: string
}

/** A decorator for methods that process the jobs of a queue; others don't compile. */
export type ProcessDecorator<Q extends AnyQueue, Context> = <
  Method extends (job: JobOf<Q>, ctx: Context) => ResultOf<Q> | Promise<ResultOf<Q>>,
>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void

/**
 * Makes a method of a provider the handler of a queue.
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 * @example
 * \@Process(thumbnails, { concurrency: 4 })
 * async makeThumbnail(job: JobOf<typeof thumbnails>) { … }
 */
export function Process<Q extends AnyQueue>(
  queue: Q,
  options: ProcessOptions & { readonly transactional: true },
): ProcessDecorator<Q, TransactionalJobContext>
export function Process<Q extends AnyQueue>(
  queue: Q,
  options?: ProcessOptions & { readonly transactional?: false },
): ProcessDecorator<Q, JobContext>
export function Process<Q extends AnyQueue>(
  queue: Q,
  options: ProcessOptions = {},
): ProcessDecorator<Q, TransactionalJobContext> {
  knownOptions('@Process', options, ['concurrency', 'transactional', 'connection'])
  const { connection = DEFAULT_CONNECTION, ...handler } = options
  checkHandler('@Process', queue, handler)
  return (target, name, descriptor) => {
    const declaration = { queue, connection, options: handler }
    declareMethod('handler', '@Process', { target, name, descriptor }, declaration)
  }
}
