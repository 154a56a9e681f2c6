import type { PgqError } from '../errors.ts'
import type { Events } from '../events.ts'
import type { ClaimedJob } from '../job/job.ts'
import { type AttemptResult, decideTransition, type Transition } from '../job/transition.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Database } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'
import { Attempt } from './attempt.ts'
import type { Handler } from './handler.ts'
import { Lane } from './lane.ts'
import { ProgressWriter } from './progress.ts'
import { claimOf, type Settler } from './settler.ts'
import { runInTransaction } from './transactional.ts'

/** What the runner needs from outside. */
export interface RunnerDeps {
  readonly handlers: readonly Handler[]
  /** How many handlers run at once over all queues. */
  readonly concurrency: number
  readonly database: Database
  /** Where transactional handlers get their transactions; opened on first use. */
  readonly transactions: () => Database
  readonly store: JobStore
  readonly settler: Settler
  readonly events: Events
  /** The id that claims are made under now. */
  readonly workerId: () => string
  /** Whether new attempts may begin: not while the lease is in doubt. */
  readonly mayStart: () => boolean
  /** Told when there is room for more jobs. */
  readonly onRoom: () => void
}

/** How long a crash suspect waits for the others to end before it is run anyway, in ms. */
const SUSPECT_WAIT_MS = 30_000
/** After an error of our own, when to run the job again, in ms. */
const BROKEN_DELAY_MS = 5_000

/** Runs claimed jobs: a lane for each queue, one limit over all of them, and suspects of a crash alone. */
export class Runner {
  readonly lanes: ReadonlyMap<string, Lane>
  readonly #deps: RunnerDeps
  readonly #running = new Set<Attempt>()
  readonly #suspects: ClaimedJob[] = []
  #suspectsSinceMs = 0
  #suspectRuns = false
  readonly #turns: readonly Lane[]
  #turn = 0
  #stopped = false
  #whenIdle: (() => void)[] = []

  constructor(deps: RunnerDeps) {
    this.#deps = deps
    this.lanes = new Map(
      deps.handlers.map((handler) => [handler.queue.name, new Lane(handler, deps.concurrency)]),
    )
    this.#turns = [...this.lanes.values()]
  }

  /** The attempts that run now. */
  get running(): ReadonlySet<Attempt> {
    return this.#running
  }

  /** How many claimed jobs this worker has in hand, running or not. */
  get held(): number {
    let waiting = this.#suspects.length
    for (const lane of this.#turns) waiting += lane.waiting
    return waiting + this.#running.size
  }

  /** Whether a crash suspect is running or about to: nothing else begins, and nothing more is claimed. */
  get isolating(): boolean {
    return this.#suspectRuns || this.#suspects.length > 0
  }

  /** Takes claimed jobs in. */
  add(jobs: readonly ClaimedJob[]): void {
    for (const [key, group] of groupByLane(jobs)) {
      if (key === SUSPECT) this.#addSuspects(group)
      else this.lanes.get(key)?.add(group)
    }
    this.startAll()
  }

  /** Starts whatever may start: from each lane in turn, so that none starves when the worker's own limit is reached. */
  startAll(): void {
    if (this.#stopped || !this.#deps.mayStart()) return
    if (this.isolating) return this.#startSuspect()
    let idle = 0
    while (idle < this.#turns.length && this.#running.size < this.#deps.concurrency) {
      const lane = this.#turns[this.#turn++ % this.#turns.length] as Lane
      idle = this.#startNext(lane) ? 0 : idle + 1
    }
  }

  /** Removes all unstarted jobs, to be given back. */
  drain(): ClaimedJob[] {
    return [...this.#suspects.splice(0), ...this.drainLanes()]
  }

  /** Removes the unstarted jobs other than suspects. */
  drainLanes(): ClaimedJob[] {
    return this.#turns.flatMap((lane) => lane.drain())
  }

  /** Removes the unstarted jobs that will not start soon. */
  surplus(): ClaimedJob[] {
    return this.#turns.flatMap((lane) => lane.surplus())
  }

  /** Starts nothing any more. */
  close(): void {
    this.#stopped = true
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Aborts the attempts that a condition picks; returns how many. */
  abort(reason: PgqError, picks: (attempt: Attempt) => boolean = () => true): number {
    const picked = [...this.#running].filter(picks)
    for (const attempt of picked) attempt.abort(reason)
    return picked.length
  }

  /** Settles the attempts that still run as interrupted, without waiting for their handlers. */
  release(): void {
    for (const attempt of this.#running) this.#settleEarly(attempt, { kind: 'interrupted' })
  }

  #startNext(lane: Lane): boolean {
    const job = lane.take()
    if (job) this.#start(lane, job)
    return job !== undefined
  }

  #start(lane: Lane, job: ClaimedJob): void {
    const attempt: Attempt = new Attempt(job, lane.handler, this.#deps.workerId(), {
      storeProgress: (value) => writer().write(value),
      onOverrun: (result) => this.#overrun(attempt, result),
    })
    let progress: ProgressWriter | undefined
    const writer = (): ProgressWriter =>
      (progress ??= new ProgressWriter(this.#deps.database, this.#deps.store, claimOf(attempt)))
    this.#running.add(attempt)
    if (this.#deps.events.wants('job.started')) this.#deps.events.emit('job.started', { job })
    void this.#run(attempt)
      .catch((error: unknown) => this.#broke(attempt, error))
      .finally(() => this.#ended(lane, attempt))
  }

  #ended(lane: Lane, attempt: Attempt): void {
    const wasFull = this.#running.size >= this.#deps.concurrency
    const wasIsolating = this.isolating
    this.#running.delete(attempt)
    lane.release(attempt.runningMs)
    if (this.#running.size === 0) this.#suspectRuns = false
    if (wasFull || wasIsolating) this.startAll()
    else if (!this.#stopped && this.#deps.mayStart()) this.#startNext(lane)
    if (wasIsolating || (lane.isLow && !lane.isExhausted)) this.#deps.onRoom()
    if (this.#running.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  async #run(attempt: Attempt): Promise<void> {
    if (attempt.handler.transactional) return this.#runTransactional(attempt)
    this.#settle(attempt, await attempt.run())
  }

  async #runTransactional(attempt: Attempt): Promise<void> {
    const { store, settler, events } = this.#deps
    const decide = (result: AttemptResult): Transition => this.#decide(attempt, result)
    const result = await runInTransaction(attempt, { database: this.#deps.transactions(), store, decide })
    const { job } = attempt
    if (result.kind === 'committed')
      settler.tell({ job, transition: result.transition, durationMs: attempt.runningMs })
    else if (result.kind === 'lost') events.emit('job.lost', { job })
    else if (result.kind === 'unknown') settler.resolve(this.#settlement(attempt, result.transition))
    else this.#settle(attempt, result)
  }

  #settle(attempt: Attempt, result: AttemptResult): void {
    if (attempt.settledEarly) return
    const { job } = attempt
    const code = attempt.aborted?.code
    // The database has taken these jobs away already; there is nothing to write.
    if (code === 'LEASE_LOST') return this.#deps.events.emit('job.lost', { job })
    if (code === 'JOB_CANCELLED') {
      const error = { name: code, message: attempt.aborted?.message ?? '' }
      return this.#deps.settler.tell({
        job,
        transition: { to: 'cancelled', error },
        durationMs: attempt.runningMs,
      })
    }
    this.#deps.settler.add(this.#settlement(attempt, this.#decide(attempt, result)))
  }

  /** What should not happen: an error of our own, outside the handler. The attempt is given back. */
  #broke(attempt: Attempt, error: unknown): void {
    this.#deps.events.emit('error', { where: `running job ${attempt.job.id}`, error })
    this.#settle(attempt, { kind: 'interrupted', delayMs: BROKEN_DELAY_MS })
  }

  #settlement(attempt: Attempt, transition: Transition): Parameters<Settler['add']>[0] {
    return { job: attempt.job, workerId: attempt.workerId, transition, durationMs: attempt.runningMs }
  }

  #decide(attempt: Attempt, result: AttemptResult): Transition {
    return decideTransition(attempt.job, result, attempt.handler.queue.backoff)
  }

  #overrun(attempt: Attempt, result: AttemptResult): void {
    this.#deps.events.emit('job.stuck', { job: attempt.job, runningMs: attempt.runningMs })
    this.#settleEarly(attempt, result)
  }

  #settleEarly(attempt: Attempt, result: AttemptResult): void {
    this.#settle(attempt, result)
    attempt.settledEarly = true
  }

  #addSuspects(jobs: readonly ClaimedJob[]): void {
    if (!this.isolating) this.#suspectsSinceMs = monotonicMs()
    this.#suspects.push(...jobs)
  }

  #startSuspect(): void {
    const waited = monotonicMs() - this.#suspectsSinceMs
    if (this.#suspectRuns || (this.#running.size > 0 && waited < SUSPECT_WAIT_MS)) return
    const job = this.#suspects.shift()
    const lane = job && this.lanes.get(job.queue)
    if (!lane) return
    lane.occupy()
    this.#suspectRuns = true
    this.#start(lane, job)
  }
}

const SUSPECT = Symbol('suspect')

/** A job that was in hand at two crashes, or at one with its last attempt to come, is run alone: innocents survive it. */
function laneKey(job: ClaimedJob): string | typeof SUSPECT {
  const isSuspect = job.crashes >= 2 || (job.crashes === 1 && job.attempt >= job.maxAttempts)
  return isSuspect ? SUSPECT : job.queue
}

function groupByLane(jobs: readonly ClaimedJob[]): Map<string | typeof SUSPECT, ClaimedJob[]> {
  const groups = new Map<string | typeof SUSPECT, ClaimedJob[]>()
  for (const job of jobs) {
    const key = laneKey(job)
    const group = groups.get(key)
    if (group) group.push(job)
    else groups.set(key, [job])
  }
  return groups
}
