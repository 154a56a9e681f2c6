import { isPgqError } from '../errors.ts'
import type { NewJob } from '../job/new-job.ts'
import { Batcher } from '../runtime/batcher.ts'
import { isRetryable, sqlStateOf } from '../store/database-error.ts'
import { CHUNK_CHARACTERS, CHUNK_JOBS } from './chunks.ts'
import { type Deduplicated, type EnqueueResult, resultOf } from './enqueue-result.ts'

/** What it needs from outside. */
export interface SharedEnqueuesDeps {
  /**
   * Writes jobs in one statement, and returns those that were deduplicated.
   * @param patienceMs how long it may wait for a key that an open transaction has taken; without it, as long as it takes
   */
  readonly send: (jobs: readonly NewJob[], patienceMs?: number) => Promise<ReadonlyMap<string, Deduplicated>>
  /** Told of each job that was written, or left out. */
  readonly onWritten: (queue: string, result: EnqueueResult) => void
}

/** A call outside a transaction that waits for its statement. */
interface WaitingJob {
  readonly queue: string
  readonly job: NewJob
  readonly resolve: (result: EnqueueResult) => void
  readonly reject: (error: unknown) => void
}

/** How long a shared statement waits for a key that an open transaction has taken, in ms. */
const PATIENCE_MS = 25
/** How many calls wait for such keys at once, each on a connection of its own. */
const MOST_HELD_UP = 3
/** PostgreSQL's lock_not_available. */
const HELD_UP = '55P03'

/**
 * Single enqueues outside of transactions: calls that are made at the same time share a statement.
 *
 * A key that an open transaction has taken makes whoever wants it wait for that transaction. That must hold up nobody else: jobs
 * with a key have statements of their own, which wait for a moment only, and the calls that are really held up then wait one by one.
 */
export class SharedEnqueues {
  readonly #deps: SharedEnqueuesDeps
  readonly #plain: Batcher<WaitingJob>
  readonly #keyed: Batcher<WaitingJob>
  readonly #heldUp: WaitingJob[] = []
  #waiting = 0

  constructor(deps: SharedEnqueuesDeps) {
    this.#deps = deps
    this.#plain = batcher((jobs) => this.#write(jobs))
    this.#keyed = batcher((jobs) => this.#writeKeyed(jobs))
  }

  /** Writes a job with the next statement. */
  add(queue: string, job: NewJob, keyed: boolean): Promise<EnqueueResult> {
    const to = keyed ? this.#keyed : this.#plain
    return new Promise((resolve, reject) => to.add({ queue, job, resolve, reject }))
  }

  async #write(waiting: readonly WaitingJob[], patienceMs?: number): Promise<void> {
    try {
      const standing = await this.#deps.send(
        waiting.map(({ job }) => job),
        patienceMs,
      )
      for (const { queue, job, resolve } of waiting) {
        const result = resultOf(job, standing)
        this.#deps.onWritten(queue, result)
        resolve(result)
      }
    } catch (error) {
      if (patienceMs !== undefined && sqlStateOf(error) === HELD_UP) throw error
      // One job that the database refuses must not take the others with it. A lost connection is no such case: what
      // was sent may have been committed, and each caller must hear that nobody knows.
      const refused = !isRetryable(error) && isPgqError(error, 'DATABASE_REJECTED') && waiting.length > 1
      if (refused) for (const one of waiting) await this.#write([one], patienceMs)
      else for (const { reject } of waiting) reject(error)
    }
  }

  /** Writes those at once that are not held up: the statement is tried with ever fewer of them. */
  async #writeKeyed(waiting: readonly WaitingJob[]): Promise<void> {
    try {
      await this.#write(waiting, PATIENCE_MS)
    } catch {
      const [one] = waiting
      if (one && waiting.length === 1) return this.#waitFor(one)
      const middle = Math.ceil(waiting.length / 2)
      await this.#writeKeyed(waiting.slice(0, middle))
      await this.#writeKeyed(waiting.slice(middle))
    }
  }

  #waitFor(one: WaitingJob): void {
    this.#heldUp.push(one)
    if (this.#waiting < MOST_HELD_UP) void this.#writeHeldUp()
  }

  async #writeHeldUp(): Promise<void> {
    this.#waiting++
    for (let one = this.#heldUp.shift(); one; one = this.#heldUp.shift()) await this.#write([one])
    this.#waiting--
  }
}

const batcher = (flush: (waiting: readonly WaitingJob[]) => Promise<void>): Batcher<WaitingJob> =>
  new Batcher({
    flush,
    maxItems: CHUNK_JOBS,
    maxWeight: CHUNK_CHARACTERS,
    weigh: ({ job }) => job.payloadText.length + job.fields.length,
  })
