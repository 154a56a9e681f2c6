import { setTimeout as sleep } from 'node:timers/promises'
import { isPgqError, PgqError, show } from '../errors.ts'
import type { Events } from '../events.ts'
import { newJobId } from '../job/job-id.ts'
import {
  assertJobOptions,
  fieldsFor,
  jobFields,
  type JobOptions,
  jobText,
  type NewJob,
  uniqueRuleOf,
  withKey,
} from '../job/new-job.ts'
import { encodePayload } from '../job/payload.ts'
import { type AnyQueue, assertQueue } from '../job/queue.ts'
import { validate } from '../job/schema.ts'
import { jittered } from '../runtime/clock.ts'
import { currentTransaction, enqueueAlike, enqueueImpatiently, enqueueJobs } from '../sql/enqueue-jobs.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database, Session } from '../store/database.ts'
import type { Queryable } from '../store/queryable.ts'
import { inChunks } from './chunks.ts'
import { type Deduplicated, type EnqueueResult, resultOf, written } from './enqueue-result.ts'
import { type GuestSession, guestSession } from './guest-session.ts'
import { SharedEnqueues } from './shared-enqueues.ts'

/** Options of an enqueue: those of the job, and the transaction to write it in. */
export interface EnqueueOptions<Input = unknown> extends JobOptions<Input> {
  /** Your transaction: the job exists if and only if it commits. A `pg` client, or anything with `query(text, values)`. */
  readonly tx?: Queryable
}

/** Options of an enqueue into any queue at all. */
// oxlint-disable-next-line typescript/no-explicit-any -- `unknown` would refuse those with a payload type
export type AnyEnqueueOptions = EnqueueOptions<any>

/** The fields of one of many jobs, by its payload as it was given and as it is stored. */
type FieldsOf = (payload: unknown, stored: unknown) => string

/** How often a transaction is begun again that has met another one, and the first pause before that, in ms, which doubles: the other one needs time to get away. */
const CONFLICT_TRIES = 5
const CONFLICT_PAUSE_MS = 50

/** The one way in: validates, encodes, and writes jobs. */
export class Enqueuer {
  readonly #database: Database
  readonly #events: Events
  readonly #maxPayloadBytes: number
  readonly #schema: string
  readonly #enqueue
  readonly #enqueueAlike
  readonly #enqueueImpatiently
  readonly #shared: SharedEnqueues

  constructor(deps: { database: Database; tables: Tables; events: Events; maxPayloadBytes: number }) {
    this.#database = deps.database
    this.#events = deps.events
    this.#maxPayloadBytes = deps.maxPayloadBytes
    this.#schema = deps.tables.name
    this.#enqueue = enqueueJobs(deps.tables)
    this.#enqueueAlike = enqueueAlike(deps.tables)
    this.#enqueueImpatiently = enqueueImpatiently(deps.tables)
    this.#shared = new SharedEnqueues({
      send: (jobs, patienceMs) => this.#send(this.#database, jobs, null, patienceMs),
      onWritten: (queue, result) => this.#tell(queue, [result], false),
    })
  }

  /**
   * Enqueues one job. In a transaction the statement is handed to the driver before this returns, unless the schema of
   * the queue is asynchronous: a call that nobody awaits is then still in order before a later ROLLBACK. With an
   * asynchronous schema the server compares transactions, and refuses to write into another one.
   */
  async enqueue(queue: AnyQueue, payload: unknown, options: AnyEnqueueOptions = {}): Promise<EnqueueResult> {
    assertQueue(queue)
    assertJobOptions('enqueue', options, ['tx'])
    const shared = jobFields(queue, options)
    const unique = uniqueRuleOf(queue, options)
    const fields = fieldsFor(queue, shared, options, payload)
    const guest = this.#guest(options)
    const encoded = this.#encode(queue, payload)
    const checked = validate(queue.payload, encoded.value, 'INVALID_PAYLOAD', queue.name)
    const job: NewJob = {
      id: newJobId(),
      fields: withKey(fields, queue, unique, payload, encoded.value),
      payloadText: encoded.text,
    }
    let transactionId: string | null = null
    if (checked instanceof Promise) {
      // Asked for now, while the caller's transaction is certainly still open.
      const pinned = guest && !guest.autocommit ? this.#pin(guest) : Promise.resolve(null)
      const [id] = await Promise.all([pinned, checked])
      transactionId = id
    }
    if (!guest) return this.#shared.add(queue.name, job, isKeyed(job))
    const [result] = await this.#write(guest, queue.name, [job], transactionId, !guest.autocommit)
    return result as EnqueueResult
  }

  /**
   * Enqueues many jobs of one queue, all or none of them. Everything is validated before anything is written; the text
   * goes out in chunks, so that 100,000 jobs in one call are a few statements in one transaction.
   */
  async enqueueMany(
    queue: AnyQueue,
    payloads: Iterable<unknown>,
    options: AnyEnqueueOptions = {},
  ): Promise<EnqueueResult[]> {
    assertQueue(queue)
    assertJobOptions('enqueueMany', options, ['tx'])
    const unique = uniqueRuleOf(queue, options)
    if (typeof unique?.key === 'string') {
      throw new PgqError(
        'INVALID_OPTION',
        'uniqueKey cannot be the same for many jobs: all but one would be left out. Give unique.key a function, or unique.fields',
      )
    }
    const fields = jobFields(queue, options)
    const guest = this.#guest(options)
    const own = (payload: unknown, stored: unknown) =>
      withKey(fieldsFor(queue, fields, options, payload), queue, unique, payload, stored)
    const { jobs, pending } = this.#encodeAll(queue, payloads, own)
    if (jobs.length === 0) return []
    if (guest?.autocommit) {
      await Promise.all(pending)
      return this.#write(guest, queue.name, jobs, null, false)
    }
    const chunks = inChunks(jobs)
    if (guest) {
      if (pending.length === 0 && chunks.length === 1) return this.#write(guest, queue.name, jobs, null, true)
      const pinned = this.#pin(guest)
      const [transactionId] = await Promise.all([pinned, ...pending])
      return this.#writeAll(guest, queue.name, chunks, transactionId, true)
    }
    await Promise.all(pending)
    if (chunks.length === 1) return this.#write(this.#database, queue.name, jobs, null, false)
    return this.#writeChunks(queue.name, chunks)
  }

  #guest({ tx }: AnyEnqueueOptions): GuestSession | undefined {
    return tx === undefined ? undefined : guestSession(tx, this.#schema)
  }

  #encode(queue: AnyQueue, payload: unknown): ReturnType<typeof encodePayload> {
    return encodePayload(queue.name, payload, this.#maxPayloadBytes)
  }

  #encodeAll(
    queue: AnyQueue,
    payloads: Iterable<unknown>,
    fields: FieldsOf,
  ): { jobs: NewJob[]; pending: Promise<unknown>[] } {
    if (typeof payloads !== 'object' || payloads === null || !(Symbol.iterator in payloads)) {
      throw new PgqError(
        'INVALID_OPTION',
        `enqueueMany takes an array or another iterable of payloads, not ${show(payloads)}`,
      )
    }
    const jobs: NewJob[] = []
    const pending: Promise<unknown>[] = []
    try {
      for (const payload of payloads) pending.push(...this.#encodeNext(queue, payload, fields, jobs))
    } catch (error) {
      for (const other of pending) other.catch(() => {}) // their answers no longer matter
      throw error
    }
    return { jobs, pending }
  }

  /** Adds one job to the list; returns the check of its payload, if that goes on. */
  #encodeNext(queue: AnyQueue, payload: unknown, fields: FieldsOf, jobs: NewJob[]): Promise<unknown>[] {
    const index = jobs.length
    try {
      const encoded = this.#encode(queue, payload)
      const checked = validate(queue.payload, encoded.value, 'INVALID_PAYLOAD', queue.name)
      jobs.push({ id: newJobId(), fields: fields(payload, encoded.value), payloadText: encoded.text })
      if (!(checked instanceof Promise)) return NOTHING
      return [checked.catch((error: unknown) => Promise.reject(atIndex(error, index)))]
    } catch (error) {
      throw atIndex(error, index)
    }
  }

  async #pin(session: Session): Promise<string | null> {
    const [row] = await session.run(currentTransaction, undefined)
    return row?.xid ?? null
  }

  /** All of them in a transaction of its own, again if that met another one: two that take the same keys may have each other's. */
  async #writeChunks(queue: string, chunks: readonly NewJob[][]): Promise<EnqueueResult[]> {
    for (let tries = 1; ; tries++)
      try {
        return await this.#database.transaction((session) =>
          this.#writeAll(session, queue, chunks, null, false),
        )
      } catch (error) {
        if (tries === CONFLICT_TRIES || !isPgqError(error, 'DATABASE_CONFLICT')) throw error
        await sleep(jittered(CONFLICT_PAUSE_MS * 2 ** tries, 0.5))
      }
  }

  async #writeAll(
    session: Session,
    queue: string,
    chunks: readonly NewJob[][],
    transactionId: string | null,
    inTransaction: boolean,
  ): Promise<EnqueueResult[]> {
    const results: EnqueueResult[] = []
    for (const chunk of chunks)
      results.push(...(await this.#write(session, queue, chunk, transactionId, inTransaction)))
    return results
  }

  async #write(
    session: Session,
    queue: string,
    jobs: readonly NewJob[],
    transactionId: string | null,
    inTransaction: boolean,
  ): Promise<EnqueueResult[]> {
    const standing = await this.#send(session, jobs, transactionId)
    const results = standing === NONE ? jobs.map(written) : jobs.map((job) => resultOf(job, standing))
    this.#tell(queue, results, inTransaction)
    return results
  }

  /** Returns the ids of those jobs that were deduplicated, and which job stands for each. */
  async #send(
    session: Session,
    jobs: readonly NewJob[],
    transactionId: string | null,
    patienceMs?: number,
  ): Promise<ReadonlyMap<string, Deduplicated>> {
    const shared = sharedFields(jobs)
    if (shared !== undefined) {
      const ids = jobs.map((job) => job.id)
      const payloads = `[${jobs.map((job) => job.payloadText).join(',')}]`
      await session.run(this.#enqueueAlike, { shared: `{${shared}}`, ids, payloads, transactionId })
      return NONE
    }
    const text = `[${jobs.map(jobText).join(',')}]`
    const rows =
      patienceMs === undefined
        ? await session.run(this.#enqueue, { jobs: text, transactionId })
        : await session.run(this.#enqueueImpatiently, { jobs: text, patienceMs })
    return new Map(rows.map((row) => [row.id, row]))
  }

  #tell(queue: string, results: readonly EnqueueResult[], inTransaction: boolean): void {
    if (!this.#events.wants('job.enqueued')) return
    const ids = results.filter((result) => !result.deduplicated).map((result) => result.id)
    const replaced = results.filter((result) => result.replaced).map((result) => result.id)
    this.#events.emit('job.enqueued', {
      queue,
      ids,
      deduplicated: results.length - ids.length,
      ...(replaced.length > 0 && { replaced }),
      inTransaction,
    })
  }
}

const NONE: ReadonlyMap<string, Deduplicated> = new Map()

/** Whether a job has a key, which is rather looked for too broadly than missed. */
const isKeyed = ({ fields }: NewJob): boolean => fields.includes('"unique_')

/** The fields of the jobs, if they all have the same and no key. */
function sharedFields(jobs: readonly NewJob[]): string | undefined {
  const shared = jobs[0]?.fields
  if (shared === undefined || jobs.some(isKeyed)) return undefined
  return jobs.every(({ fields }) => fields === shared) ? shared : undefined
}

const NOTHING: Promise<unknown>[] = []

/** Says which of many payloads an error is about. */
function atIndex(error: unknown, index: number): unknown {
  if (!isPgqError(error)) return error
  const issues = error.issues?.map((issue) => ({ ...issue, path: `$[${index}]${issue.path.slice(1)}` }))
  return new PgqError(error.code, `payload ${index}: ${error.message}`, {
    cause: error,
    ...(issues && { issues }),
  })
}
