import type {
  AuditRecord,
  ClientEvent,
  ClientRecord,
  History,
  HoldState,
  JobState,
  QueueState,
  Terms,
  WorkerState,
} from '../../src/history/records.ts'
import { termsOf } from '../../src/run.ts'

export const JOB = '00000000-0000-7000-8000-000000000001'
export const WORKER_A = 'aaaaaaaa-0000-4000-8000-000000000000'
export const WORKER_B = 'bbbbbbbb-0000-4000-8000-000000000000'

const LEASE_MS = 1_000
const FRESH: JobState = {
  queue: 'plain',
  status: 'pending',
  fence: 0,
  attempts: 0,
  maxAttempts: 3,
  crashes: 0,
  priority: 0,
  lockedBy: null,
  uniqueKey: null,
  group: null,
  cost: 1,
  schedule: null,
  tick: null,
  createdAt: 0,
  scheduledFor: 0,
  startedAt: null,
  error: null,
  progressFence: null,
  resultFence: null,
  resultTicket: null,
  ticket: 't1',
}

/** A history that is written by hand, a step at a time. Each step is 10 ms after the one before. */
export class Story {
  readonly #clients: ClientRecord[] = []
  readonly #jobs: AuditRecord<JobState>[] = []
  readonly #workers: AuditRecord<WorkerState>[] = []
  readonly #queues: AuditRecord<QueueState>[] = []
  readonly #holds: AuditRecord<HoldState>[] = []
  readonly #states = new Map<string, JobState>()
  readonly #end: { -readonly [Part in keyof History['end']]: History['end'][Part] }
  readonly #terms: Terms
  #t = 0
  #n = 0

  constructor(terms: Partial<Terms> = {}) {
    this.#terms = { ...termsOf(LEASE_MS), transactionalQueues: ['transactional'], schedules: {}, ...terms }
    this.#end = {
      jobs: [],
      effects: [],
      orders: [],
      tickedUntil: null,
      bystanderUnchanged: true,
      deadlocks: 0,
      connections: {},
    }
  }

  /** Lets time pass. */
  wait(ms: number): this {
    this.#t += ms
    return this
  }

  /** Something that a client wrote down. */
  says(p: string, event: ClientEvent): this {
    this.#clients.push({ t: (this.#t += 10), p, ...event })
    return this
  }

  /** A worker renews its lease, or is declared lost. */
  worker(id: string, change: 'renews' | 'lost'): this {
    this.#t += 10
    const before = this.#workers.findLast((record) => record.id === id)?.to ?? null
    const name = id === WORKER_A ? 'a' : 'b'
    const to = {
      name,
      leaseUntil: change === 'renews' ? this.#t + LEASE_MS : (before?.leaseUntil ?? 0),
      lostAt: change === 'lost' ? this.#t : null,
    }
    this.#workers.push({ n: ++this.#n, at: this.#t, xid: `x${this.#n}`, id, from: before, to })
    return this
  }

  /**
   * The database changes a job: as one UPDATE, or, as with a move between partitions, as a DELETE and an INSERT. What cancels it or runs it again somebody has
   * asked for, unless that is not to be.
   */
  job(
    change: Partial<JobState> | null,
    { id = JOB, move = false, asked = true }: { id?: string; move?: boolean; asked?: boolean } = {},
  ): this {
    this.#t += 10
    const from = this.#states.get(id) ?? null
    const to = change === null ? null : { ...(from ?? FRESH), ...change }
    if (asked && to?.status === 'cancelled') this.#asks('cancel', id)
    if (asked && to?.status === 'pending' && from?.status === 'cancelled') this.#asks('retry', id)
    const xid = `x${++this.#n}`
    const record = { at: this.#t, xid, id }
    if (move && from) {
      this.#jobs.push({ ...record, n: this.#n, from, to: null }, { ...record, n: ++this.#n, from: null, to })
    } else this.#jobs.push({ ...record, n: this.#n, from, to })
    if (to) this.#states.set(id, to)
    else this.#states.delete(id)
    return this
  }

  #asks(act: 'cancel' | 'retry', job: string): void {
    this.#clients.push({ t: this.#t, p: 'p', op: 'act', call: `${act}!`, act, job })
  }

  /** A queue is paused or resumed, and whoever asked for it is told. */
  switched(to: 'paused' | 'resumed', queue = 'plain'): this {
    this.#t += 10
    this.#queues.push({
      n: ++this.#n,
      at: this.#t,
      xid: `x${this.#n}`,
      id: queue,
      from: null,
      to: { queue, isPaused: to === 'paused' },
    })
    return this.says('p', { op: 'switched', call: 'switch', to, queue })
  }

  /** A group of a queue, or all of it, is held back for so many ms. */
  heldBack(forMs: number, group = '', queue = 'plain'): this {
    this.#t += 10
    this.#holds.push({
      n: ++this.#n,
      at: this.#t,
      xid: `x${this.#n}`,
      id: queue,
      from: null,
      to: { queue, group, until: this.#t + forMs },
    })
    return this
  }

  enqueued(ticket = 't1', id = JOB): this {
    const call = `${ticket}!`
    return this.says('p', { op: 'enqueue', call, queue: 'plain', tickets: [ticket] })
      .job({ ticket }, { id })
      .says('p', { op: 'enqueued', call, jobs: [{ ticket, id, deduplicated: false }] })
  }

  claimed(lockedBy = WORKER_A, id = JOB): this {
    const { fence = 0, attempts = 0 } = this.#states.get(id) ?? {}
    return this.job(
      { status: 'processing', fence: fence + 1, attempts: attempts + 1, lockedBy, startedAt: this.#t + 10 },
      { id, move: true },
    ).says(lockedBy === WORKER_A ? 'a' : 'b', {
      op: 'start',
      job: id,
      fence: fence + 1,
      attempt: attempts + 1,
      queue: 'plain',
      ticket: 't1',
    })
  }

  ended(p = 'a', fence = 1): this {
    return this.says(p, { op: 'end', job: JOB, fence, how: 'returned' })
  }

  completed(id = JOB): this {
    const { fence = null, ticket = null } = this.#states.get(id) ?? {}
    const result = { resultFence: fence, resultTicket: ticket }
    return this.job({ status: 'completed', lockedBy: null, ...result }, { id, move: true })
  }

  told(p = 'a', fence = 1): this {
    return this.says(p, { op: 'told', job: JOB, fence, outcome: 'completed' })
  }

  rescued(): this {
    const { fence = 0 } = this.#states.get(JOB) ?? {}
    return this.job({ status: 'failed', fence: fence + 1, crashes: 1, lockedBy: null }, { move: true })
  }

  /** What the tables hold at the end, besides what the changes have left. */
  end(change: Partial<History['end']>): this {
    Object.assign(this.#end, change)
    return this
  }

  /** The history, with rows as the changes left them unless others were given. */
  history(): History {
    const rows = [...this.#states].map(([id, { status, fence }]) => ({ id, status, fence }))
    return {
      clients: this.#clients,
      jobs: this.#jobs,
      workers: this.#workers,
      queues: this.#queues,
      holds: this.#holds,
      end: { ...this.#end, jobs: this.#end.jobs.length > 0 ? this.#end.jobs : rows },
      terms: this.#terms,
    }
  }
}

/** A job that is enqueued, claimed by a, and handled. */
export const begun = (terms?: Partial<Terms>): Story =>
  new Story(terms).worker(WORKER_A, 'renews').worker(WORKER_B, 'renews').enqueued().claimed()
