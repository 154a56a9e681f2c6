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
  /** Its share of the worker's slots while other queues want them too: with 3 it gets three times what one with 1 gets, 1 to 1,000. @default 1 */
  readonly weight?: number
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
  readonly weight: number
  readonly transactional: boolean
  /** Runs one job; of a handler of chunks, as a chunk of one. */
  readonly run: (job: Job<never>, ctx: never) => unknown
  /** Set when it takes several jobs at once: made with `handleChunk`. `concurrency` counts chunks then. */
  readonly chunk?: ChunkRunner
}

/** How a handler of chunks gets its jobs. */
export interface ChunkRunner {
  /** The most jobs in one chunk. */
  readonly size: number
  /** How long a chunk that is not full waits for more jobs, in ms. */
  readonly waitMs: number
  /** Begins a chunk of so many jobs. */
  readonly open: (jobs: number) => OpenChunk
}

/** A chunk that is being put together: its jobs join one by one, and its function runs when none is missing. */
export interface OpenChunk {
  /** Takes part in the chunk; settles as the attempt of this one job ends. */
  readonly join: (job: Job<never>, ctx: never) => Promise<unknown>
  /** Told of each job whose attempt has ended, so that nobody waits for one that never joined. */
  readonly leave: (jobId: string) => void
  /** Resolves when the function has ended. */
  readonly ended: Promise<void>
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
  assertRun(queue, run, '(job, ctx) => …')
  knownOptions('handle', options, ['concurrency', 'weight', 'transactional'])
  const { concurrency = 10, weight = 1, transactional = false } = options
  return Object.freeze({
    queue,
    concurrency: integerOption('concurrency', concurrency, 1, 10_000),
    weight: integerOption('weight', weight, 1, 1_000),
    transactional: flagOption('transactional', transactional),
    run,
  })
}

/**
 * Checks the function of a handler.
 * @throws PgqError INVALID_OPTION
 */
export function assertRun(queue: AnyQueue, run: unknown, shape: string): void {
  if (typeof run === 'function') return
  throw new PgqError(
    'INVALID_OPTION',
    `the handler of queue ${show(queue.name)} is ${show(run)}: it must be a function ${shape}`,
  )
}
