import { PgqError, show } from '../errors.ts'
import type { Job, Json } from '../job/job.ts'
import { type AnyQueue, assertQueue, type PayloadOf, type ResultOf } from '../job/queue.ts'
import { flagOption, integerOption, knownOptions } from '../runtime/options.ts'
import type { Transaction } from '../store/queryable.ts'

/** What a handler gets beside its job. */
export interface JobContext {
  /**
   * Aborts when the attempt should end early. `signal.reason` is a PgqError whose code says why: JOB_TIMEOUT,
   * JOB_CANCELLED, LEASE_LOST or WORKER_STOPPING. Pass it on to fetch and to everything else that takes one.
   */
  readonly signal: AbortSignal
  /**
   * Stores how far the job is, for whoever looks at it; any JSON value. Calls made while one is being written are folded into one.
   * @throws PgqError LEASE_LOST when the claim no longer stands
   */
  progress(value: Json): Promise<void>
}

/** What a transactional handler gets. */
export interface TransactionalJobContext extends JobContext {
  /**
   * The transaction: what is written through it and the completion of the job commit together, or not at all. It begins
   * with its first query, so do the waiting for other systems before.
   */
  readonly tx: Transaction
}

/** How a worker runs a handler. */
export interface HandlerOptions {
  /** How many of its jobs one worker runs at once, 1 to 10,000. @default 10 */
  readonly concurrency?: number
  /** Run the handler in a transaction that completes the job: its writes through `ctx.tx` happen exactly once. @default false */
  readonly transactional?: boolean
}

type Run<Q extends AnyQueue, Context> = (
  job: Job<PayloadOf<Q>>,
  ctx: Context,
) => ResultOf<Q> | Promise<ResultOf<Q>>

/** A queue with the function that processes its jobs. */
export interface Handler {
  readonly queue: AnyQueue
  readonly concurrency: number
  readonly transactional: boolean
  readonly run: (job: Job<never>, ctx: never) => unknown
}

/**
 * Ties a function to a queue. Give what it returns to `createWorker`.
 *
 * To end an attempt in another way than by returning or failing, throw `SnoozeJob`, `RetryJob`, `CancelJob` or `DeadJob`.
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 */
export function handle<Q extends AnyQueue>(
  queue: Q,
  run: Run<Q, TransactionalJobContext>,
  options: HandlerOptions & { readonly transactional: true },
): Handler
export function handle<Q extends AnyQueue>(
  queue: Q,
  run: Run<Q, JobContext>,
  options?: HandlerOptions & { readonly transactional?: false },
): Handler
export function handle<Q extends AnyQueue>(
  queue: Q,
  run: Run<Q, TransactionalJobContext>,
  options: HandlerOptions = {},
): Handler {
  assertQueue(queue)
  if (typeof run !== 'function') {
    throw new PgqError(
      'INVALID_OPTION',
      `the handler of queue ${show(queue.name)} is ${show(run)}: it must be a function (job, ctx) => …`,
    )
  }
  knownOptions('handle', options, ['concurrency', 'transactional'])
  const { concurrency = 10, transactional = false } = options
  return Object.freeze({
    queue,
    concurrency: integerOption('concurrency', concurrency, 1, 10_000),
    transactional: flagOption('transactional', transactional),
    run,
  })
}
