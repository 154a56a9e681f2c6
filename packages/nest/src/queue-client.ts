import type {
  AnyQueue,
  EnqueueOptions,
  EnqueueResult,
  InputOf,
  JobCount,
  JobRecord,
  JobStatus,
  ListOptions,
  Pgq,
  ResultOf,
} from '@pgq/core'

/** A job of a queue as one reads it back. Its payload is the stored JSON: a `Date` in it is text. */
export type JobRecordOf<Q extends AnyQueue> = JobRecord<unknown, ResultOf<Q>>

/** A page of the jobs of a queue, newest first. */
export interface QueuePage<Q extends AnyQueue> {
  readonly jobs: readonly JobRecordOf<Q>[]
  /** Give it to the next call for the page after this one; undefined on the last page. */
  readonly cursor: string | undefined
}

/**
 * One queue of one connection, as `@InjectQueue` injects it: `QueueClient<typeof receipts>`. For everything that is not about
 * this queue alone there is `@InjectPgq`.
 */
export class QueueClient<Q extends AnyQueue> {
  /** The definition of the queue. */
  readonly queue: Q
  readonly #pgq: () => Pgq

  /** @param pgq asked for at each call, so that it may be ready later than this */
  constructor(queue: Q, pgq: () => Pgq) {
    this.queue = queue
    this.#pgq = pgq
  }

  /**
   * Writes one job; see `Pgq.enqueue`. With `tx` it belongs to your transaction.
   * @throws PgqError INVALID_PAYLOAD, PAYLOAD_TOO_LARGE, INVALID_OPTION, TRANSACTION_CLOSED, SCHEMA_MISSING, CLOSED, DATABASE_…
   */
  enqueue(payload: InputOf<Q>, options?: EnqueueOptions<InputOf<Q>>): Promise<EnqueueResult> {
    return this.#pgq().enqueue(this.queue, payload, options)
  }

  /**
   * Writes many jobs: all of them or none. The options go for each. Returns the results in the order of the payloads.
   * @throws PgqError as `enqueue`
   */
  enqueueMany(
    payloads: Iterable<InputOf<Q>>,
    options?: EnqueueOptions<InputOf<Q>>,
  ): Promise<EnqueueResult[]> {
    return this.#pgq().enqueueMany(this.queue, payloads, options)
  }

  /**
   * One job of this queue, or null when there is none with that id.
   * @throws PgqError INVALID_OPTION for an id that is no UUID
   */
  async get(id: string): Promise<JobRecordOf<Q> | null> {
    const job = await this.#pgq().get(id)
    return job?.queue === this.queue.name ? (job as JobRecordOf<Q>) : null
  }

  /** A page of the jobs of this queue that match, newest first. */
  async list(options: Omit<ListOptions, 'queue'> = {}): Promise<QueuePage<Q>> {
    return (await this.#pgq().list({ ...options, queue: this.queue })) as QueuePage<Q>
  }

  /** How many jobs of this queue there are, by status. It reads all it counts: name the statuses to leave a long history out. */
  counts(options: { readonly status?: JobStatus | readonly JobStatus[] } = {}): Promise<JobCount[]> {
    return this.#pgq().counts({ ...options, queue: this.queue })
  }
}
