import type { PgqError } from '../errors.ts'
import type { ClaimedJob } from '../job/job.ts'
import { released } from '../job/transition.ts'
import { jittered, monotonicMs } from '../runtime/clock.ts'
import type { Claim } from '../sql/held-claims.ts'
import { Attempt, type AttemptDeps } from './attempt.ts'
import { AttemptEndings, type AttemptEndingsDeps } from './attempt-endings.ts'
import { ChunkAlarms } from './chunk-alarms.ts'
import { type ChunkRunDeps, runChunk } from './chunk-run.ts'
import { isSuspect } from './crash-suspect.ts'
import type { ChunkRunner, Handler } from './handler.ts'
import { Lane } from './lane.ts'
import { ProgressWriters } from './progress-writers.ts'
import { claimOf } from './settlement.ts'
import { isTooFew, Shares } from './shares.ts'
import { stuckIn } from './stuck-in.ts'

/** What the runner needs from outside. */
export interface RunnerDeps extends AttemptEndingsDeps, Pick<AttemptDeps, 'hooks'> {
  readonly handlers: readonly Handler[]
  /** How many handlers run at once over all queues. */
  readonly concurrency: number
  /** The id that claims are made under now. */
  readonly workerId: () => string
  /** Whether new attempts may begin: not while the lease is in doubt. */
  readonly mayStart: () => boolean
  /** Told when there is room for more jobs. */
  readonly onRoom: () => void
}

/** How long a crash suspect waits for the others to end before it is run anyway, in ms. */
const SUSPECT_WAIT_MS = 30_000
/** How long other work goes on between two suspects, at the least and at the most, in ms. */
const SUSPECT_PAUSE_MS = 250
const LONGEST_SUSPECT_PAUSE_MS = 30_000
/** When a job is looked at again whose last attempt is stuck here, in ms. */
const STUCK_PAUSE_MS = 5_000

/** Runs claimed jobs: a lane for each queue, one limit over all of them, and suspects of a crash alone. */
export class Runner {
  readonly lanes: ReadonlyMap<string, Lane>
  readonly #deps: RunnerDeps
  readonly #running = new Set<Attempt>()
  /** How many of the worker's slots are taken: by one attempt each, or by a chunk of them. */
  #slots = 0
  /** Undefined when there are slots for all lanes. */
  readonly #shares: Shares | undefined
  readonly #chunkAlarms: ChunkAlarms
  /** The one crash suspect in hand: it waits to be run alone, or is being run. */
  #suspect: { readonly job: ClaimedJob; readonly sinceMs: number; attempt?: Attempt } | undefined
  /** Before this time, by our own clock, no suspect is run. */
  #nextSuspectMs = 0
  readonly #turns: readonly Lane[]
  #stopped = false
  #whenIdle: (() => void)[] = []
  readonly #endings: AttemptEndings
  readonly #attemptDeps: AttemptDeps
  readonly #chunkDeps: ChunkRunDeps = {
    begin: (handler, job) => this.#begin(handler, job),
    process: (attempt, onEnded) => this.#process(attempt, onEnded),
    onEnded: (attempt) => void this.#running.delete(attempt),
    onError: (error) => this.#deps.events.emit('error', { where: 'ending a chunk', error }),
  }

  constructor(deps: RunnerDeps) {
    this.#deps = deps
    this.#endings = new AttemptEndings(deps)
    const progress = new ProgressWriters(deps.database, deps.store)
    this.#attemptDeps = {
      hooks: deps.hooks,
      storeProgress: (attempt, value) => progress.of(attempt).write(value),
      onOverrun: (attempt, result) => this.#endings.overrun(attempt, result),
    }
    const isScarce = isTooFew(deps.concurrency, deps.handlers)
    const isFull = isScarce ? () => this.freeSlots === 0 : undefined
    this.lanes = new Map(
      deps.handlers.map((handler) => [handler.queue.name, new Lane(handler, deps.concurrency, isFull)]),
    )
    this.#turns = [...this.lanes.values()]
    const startAll = (): void => this.startAll()
    this.#chunkAlarms = new ChunkAlarms(this.#turns, startAll)
    if (isScarce) this.#shares = new Shares(this.#turns, { onRoom: deps.onRoom, onDue: startAll })
  }

  /** The attempts that run now. */
  get running(): ReadonlySet<Attempt> {
    return this.#running
  }

  /** How many claimed jobs this worker has in hand, running or not. */
  get held(): number {
    let waiting = this.#suspect && !this.#suspect.attempt ? 1 : 0
    for (const lane of this.#turns) waiting += lane.waiting
    return waiting + this.#running.size
  }

  /** How many jobs may start now, where lanes share slots; Infinity where each has its own. */
  get freeSlots(): number {
    return this.#shares ? this.#deps.concurrency - this.#slots : Infinity
  }

  /** The lanes, those first that have had least of the slots, or as they are where each has its own. */
  lanesInTurn(): readonly Lane[] {
    return this.#shares?.inTurn() ?? this.#turns
  }

  /** Whether a crash suspect is running or about to: nothing else begins, and nothing more is claimed. */
  get isolating(): boolean {
    return this.#suspect !== undefined
  }

  /** Takes claimed jobs in. Of suspects it keeps one: if that one kills the process, no other must have been in its hand. */
  add(claimed: readonly ClaimedJob[]): void {
    const stuck = claimed.filter(stuckIn(this.#running))
    this.giveBack(stuck, STUCK_PAUSE_MS)
    const jobs = stuck.length > 0 ? claimed.filter((job) => !stuck.includes(job)) : claimed
    const suspects = jobs.filter(isSuspect)
    const now = monotonicMs()
    if (!this.#suspect && suspects[0] && now >= this.#nextSuspectMs)
      this.#suspect = { job: suspects[0], sinceMs: now }
    const others = suspects.filter((job) => job !== this.#suspect?.job)
    this.#postpone(others, Math.max(SUSPECT_PAUSE_MS, this.#nextSuspectMs - now))
    const normal = jobs.filter((job) => !isSuspect(job))
    if (this.isolating) this.giveBack([...normal, ...this.#drainLanes()])
    else for (const job of normal) this.lanes.get(job.queue)?.add(job, now)
    this.startAll()
    // Others may be idle that could run these.
    if (this.freeSlots === 0) this.giveBack(this.#turns.flatMap((lane) => lane.shutOut()))
  }

  /** Gives suspects back for one after the other, as this worker could run them: all of them would be claimed again for each one. */
  #postpone(suspects: readonly ClaimedJob[], delayMs: number): void {
    for (const [i, job] of suspects.entries())
      this.giveBack([job], jittered(Math.min(LONGEST_SUSPECT_PAUSE_MS, delayMs + i * SUSPECT_PAUSE_MS), 0.2))
  }

  /** Gives unstarted jobs back to their queue, at no cost: to their old place, or for later. */
  giveBack(jobs: readonly ClaimedJob[], delayMs?: number): void {
    const common = { workerId: this.#deps.workerId(), transition: released(delayMs), durationMs: 0 }
    for (const job of jobs) this.#deps.settler.add({ job, ...common })
  }

  /** Starts whatever may start; when the worker's own limit is reached, each lane gets its share. */
  startAll(): void {
    if (this.#stopped || !this.#deps.mayStart()) return
    if (this.isolating) return this.#startSuspect()
    if (this.#shares) this.#startShared(this.#shares)
    else for (const lane of this.#turns) while (this.#startNext(lane));
    this.#chunkAlarms.set()
  }

  /** Removes all unstarted jobs. */
  drain(): ClaimedJob[] {
    const suspect = this.#suspect && !this.#suspect.attempt ? [this.#suspect.job] : []
    if (suspect.length > 0) this.#suspect = undefined
    return [...suspect, ...this.#drainLanes()]
  }

  /** The ids of all jobs in hand, running or not. */
  ids(): string[] {
    return [
      ...this.#turns.flatMap((lane) => lane.ids()),
      ...[...this.#running].map(({ job }) => job.id),
      ...(this.#suspect ? [this.#suspect.job.id] : []),
    ]
  }

  /** The claims of those unstarted jobs that are among these. */
  waitingAmong(ids: ReadonlySet<string>): Claim[] {
    if (ids.size === 0) return []
    const workerId = this.#deps.workerId()
    return this.#turns.flatMap((lane) => lane.find(ids)).map((job) => claimOf({ job, workerId }))
  }

  /** Removes unstarted jobs whose claims are gone. */
  forget(isLost: (job: ClaimedJob) => boolean): void {
    for (const lane of this.#turns) lane.remove(isLost)
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
    if (this.#slots === 0) return Promise.resolve()
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
    for (const attempt of this.#running) this.#endings.settleEarly(attempt, { kind: 'interrupted' })
  }

  #startShared(shares: Shares): void {
    const { concurrency } = this.#deps
    while (this.#slots < concurrency) {
      const lane = shares.next(concurrency - this.#slots)
      if (!lane || !this.#startNext(lane)) return
    }
  }

  #startNext(lane: Lane): boolean {
    if (lane.handler.chunk) return this.#startChunk(lane, lane.handler.chunk)
    const job = lane.take()
    if (job) this.#start(lane, job)
    return job !== undefined
  }

  #start(lane: Lane, job: ClaimedJob): Attempt {
    this.#takeSlot(lane)
    const attempt = this.#begin(lane.handler, job)
    void this.#process(attempt, () => this.#ended(lane, attempt))
    return attempt
  }

  #startChunk(lane: Lane, runner: ChunkRunner): boolean {
    const jobs = lane.takeChunk()
    if (jobs.length === 0) return false
    this.#takeSlot(lane)
    const startedMs = monotonicMs()
    void runChunk({ handler: lane.handler, runner, jobs }, this.#chunkDeps).then(() =>
      this.#slotFreed(lane, monotonicMs() - startedMs),
    )
    return true
  }

  #takeSlot(lane: Lane): void {
    this.#slots++
    this.#shares?.began(lane)
  }

  #begin(handler: Handler, job: ClaimedJob): Attempt {
    const attempt = new Attempt(job, handler, this.#deps.workerId(), this.#attemptDeps)
    this.#running.add(attempt)
    if (this.#deps.events.wants('job.started')) this.#deps.events.emit('job.started', { job })
    return attempt
  }

  async #process(attempt: Attempt, onEnded: () => void): Promise<void> {
    await this.#endings.run(attempt)
    onEnded()
  }

  #ended(lane: Lane, attempt: Attempt): void {
    this.#running.delete(attempt)
    this.#slotFreed(lane, attempt.runningMs, attempt)
  }

  #slotFreed(lane: Lane, tookMs: number, attempt?: Attempt): void {
    const wasFull = this.#slots >= this.#deps.concurrency
    const wasIsolating = this.isolating
    this.#slots--
    this.#shares?.ended(lane, tookMs)
    lane.release(tookMs)
    if (attempt && this.#suspect?.attempt === attempt) this.#endSuspect(attempt)
    if (wasFull || wasIsolating) this.startAll()
    else if (!this.#stopped && this.#deps.mayStart()) this.#startNext(lane)
    const wasShutOut = this.#shares !== undefined && wasFull
    if (wasIsolating || wasShutOut || (lane.isLow && !lane.isExhausted)) this.#deps.onRoom()
    if (this.#slots === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  /** Alone means: no other job runs, and none that has run is unsettled; a crash would charge those too. */
  #startSuspect(): void {
    const suspect = this.#suspect
    if (!suspect || suspect.attempt) return
    const isAlone = this.#slots === 0 && this.#deps.settler.unsettled === 0
    if (!isAlone && monotonicMs() - suspect.sinceMs < SUSPECT_WAIT_MS) return
    const lane = this.lanes.get(suspect.job.queue)
    if (!lane) return
    lane.occupy()
    suspect.attempt = this.#start(lane, suspect.job)
  }

  /** The next suspect has to wait for longer than this one took: all other work gets most of the time. */
  #endSuspect(attempt: Attempt): void {
    this.#suspect = undefined
    const pauseMs = Math.min(LONGEST_SUSPECT_PAUSE_MS, Math.max(SUSPECT_PAUSE_MS, 2 * attempt.runningMs))
    this.#nextSuspectMs = monotonicMs() + pauseMs
  }

  #drainLanes(): ClaimedJob[] {
    return this.#turns.flatMap((lane) => lane.drain())
  }
}
