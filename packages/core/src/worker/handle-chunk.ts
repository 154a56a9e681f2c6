import { PgqError } from '../errors.ts'
import type { Job, Json } from '../job/job.ts'
import { type AnyQueue, assertQueue, type PayloadOf, type ResultOf } from '../job/queue.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { integerOption, knownOptions } from '../runtime/options.ts'
import { Chunk, type Marked } from './chunk.ts'
import { assertRun, type Handler, type JobContext } from './handler.ts'

/** What a handler of chunks gets beside its jobs. What is marked counts at once, whatever becomes of the rest; the first mark of a job stands. */
export interface ChunkContext<Result = unknown> {
  /**
   * Aborts when nothing is left in the chunk that somebody waits for: the worker stops or has lost its lease, or every job that
   * has no outcome yet was cancelled or has timed out. The reason is that of the last one.
   */
  readonly signal: AbortSignal
  /**
   * The signal of one job of the chunk, as in `JobContext`: its own timeout, its own cancellation.
   * @throws TypeError for a job that is not in the chunk, as the others do
   */
  signalOf(job: ChunkMember): AbortSignal
  /**
   * Stores how far one job is; any JSON value.
   * @throws PgqError LEASE_LOST when its claim no longer stands
   */
  progress(job: ChunkMember, value: Json): Promise<void>
  /** Completes one job now. */
  complete(job: ChunkMember, result: Result): Marked
  /** Fails one job now, by its own retry policy. Takes what a handler may throw: `SnoozeJob`, `RetryJob`, `CancelJob` and `DeadJob` as well. */
  fail(job: ChunkMember, error: unknown): Marked
}

/** A job of a chunk, or whatever has its id. */
export interface ChunkMember {
  readonly id: string
}

/** How a worker runs a handler of chunks. */
export interface ChunkOptions {
  /** The most jobs in one chunk, 1 to 1,000. @default 100 */
  readonly size?: number
  /** How long a chunk that is not full waits for more jobs, 0 to 10 s, from when its first job was claimed. @default 0 */
  readonly wait?: Duration
  /** How many chunks one worker runs at once, 1 to 1,000. @default 1 */
  readonly concurrency?: number
  /** As in `handle`; a chunk takes one of the worker's slots. @default 1 */
  readonly weight?: number
}

/** Nothing, which completes every job that is not marked, or one result for each job, in the order of the jobs. */
type ChunkResults<Result> = void | readonly (Result | Marked)[]

type RunChunk<Q extends AnyQueue> = (
  jobs: readonly Job<PayloadOf<Q>>[],
  ctx: ChunkContext<ResultOf<Q>>,
) => ChunkResults<ResultOf<Q>> | Promise<ChunkResults<ResultOf<Q>>>

/**
 * Ties a function to a queue that takes up to `size` of its jobs at once. Give what it returns to `createWorker`.
 *
 * Every job is an attempt of its own: with its own timeout, cancellation, progress, retries and events. Returning completes all
 * jobs, throwing fails all, and `ctx.complete` and `ctx.fail` give single ones an outcome before that. A job that may have
 * killed its process comes alone.
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 * @example
 * handleChunk(mails, async (jobs) => mailer.sendAll(jobs.map((job) => job.payload)), { size: 50, wait: '100ms' })
 */
export function handleChunk<Q extends AnyQueue>(
  queue: Q,
  run: RunChunk<Q>,
  options: ChunkOptions = {},
): Handler {
  assertQueue(queue)
  assertRun(queue, run, '(jobs, ctx) => …')
  refuseTransaction(options)
  knownOptions('handleChunk', options, ['size', 'wait', 'concurrency', 'weight'])
  const { size = 100, wait = 0, concurrency = 1, weight = 1 } = options
  const open = (jobs: number): Chunk => new Chunk(queue.name, run as never, jobs)
  return Object.freeze({
    queue,
    concurrency: integerOption('concurrency', concurrency, 1, 1_000),
    weight: integerOption('weight', weight, 1, 1_000),
    transactional: false,
    run: (job: Job<never>, ctx: JobContext) => open(1).join(job, ctx),
    chunk: Object.freeze({
      size: integerOption('size', size, 1, 1_000),
      waitMs: durationMs('wait', wait, { max: 10_000 }),
      open,
    }),
  })
}

/** One transaction can't keep what one job wrote and take back what another did: said here, since people will try. */
function refuseTransaction(options: object): void {
  if (typeof options !== 'object' || options === null || !('transactional' in options)) return
  throw new PgqError(
    'INVALID_OPTION',
    'handleChunk has no transactional: the jobs of a chunk end apart, and a transaction ends as one. Use handle(queue, run, { transactional: true }), or one job that holds all the items',
  )
}
