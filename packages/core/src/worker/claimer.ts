import type { Events } from '../events.ts'
import type { ClaimedJob } from '../job/job.ts'
import { jittered, monotonicMs, startTimer } from '../runtime/clock.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { ClaimNote, JobStore } from '../store/job-store.ts'
import { demandOf, type Wanted } from './demand.ts'
import { Floors } from './floors.ts'
import { Holds } from './holds.ts'
import type { Runner } from './runner.ts'
import type { Settler } from './settler.ts'

/** What the claimer needs from outside. */
export interface ClaimerDeps {
  readonly database: Database
  readonly store: JobStore
  readonly runner: Runner
  readonly settler: Settler
  readonly events: Events
  readonly workerId: () => string
  /** Whether the lease is certain enough to claim under it. */
  readonly mayClaim: () => boolean
  /** The longest wait between two looks at idle queues, in ms. */
  readonly pollMs: number
  /** Whether every enqueue since the last look has certainly sent a notification. */
  readonly isNotified: () => boolean
  /** Told when the queues have run dry after a busy time. */
  readonly onIdle: () => void
}

/** The first wait after the queues ran dry, in ms. It doubles: a job whose wake-up was missed waits at most as long again as it took to commit. */
const FIRST_POLL_MS = 5
/** In hand at most: running, waiting for a slot, or ended and not yet settled. */
const HELD_LIMIT = 8_000
/** Alarms for jobs that are due again: so far ahead, in ms, and so many at a time. The others are found by polling. */
const LONGEST_ALARM_MS = 60_000
const ALARM_LIMIT = 1_000
/** After a claim that failed, how long and how often to look for jobs that it may have claimed, in ms. */
const DOUBT_MS = 60_000
const STRAYS_EVERY_MS = 3_000
/** Claim nothing while this many ended attempts wait to be settled. */
const UNSETTLED_LIMIT = 4_000

/** Claims jobs for all queues of a worker with one statement at a time: when there is room, and work is known or supposed. */
export class Claimer implements Service {
  readonly #deps: ClaimerDeps
  readonly #loop: Loop
  readonly #floors = new Floors()
  #idlePollMs = FIRST_POLL_MS
  #isFull = false
  #isLimited = false
  /** Which group was served last of each queue that has some: its turns go on from there. */
  readonly #lastGroups = new Map<string, string>()
  readonly #holds = new Holds()
  /** What a hold made it give back and is not written yet: the ids, and their queues. */
  readonly #givenBack = new Map<string, string>()
  #alarms = 0
  #turn = 0
  #doubtUntilMs = 0
  #nextStraysMs = 0
  /** When the last claim was made that left jobs behind. */
  #busyUntilMs = 0
  #busySinceMs: number | undefined

  constructor(deps: ClaimerDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#step(),
      onError: (error) => deps.events.emit('error', { where: 'claiming jobs', error }),
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  /** Resolves when no claim is under way. */
  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** By how much a round is late, or takes, in ms. */
  get lateMs(): number {
    return this.#loop.lateMs
  }

  /** Looks for jobs now: there is room, or news of some. */
  wake(): void {
    this.#loop.wake()
  }

  /** Looks for jobs when one is due that this worker has put off: nobody notifies of the time. */
  wakeAfter(delayMs: number): void {
    if (delayMs > LONGEST_ALARM_MS || this.#alarms >= ALARM_LIMIT) return
    this.#alarms++
    startTimer(delayMs + 1, () => {
      this.#alarms--
      this.#loop.wake()
    })
  }

  /** Looks for jobs of a queue that has news of some. */
  wakeFor(queue: string): void {
    const lane = this.#deps.runner.lanes.get(queue)
    if (!lane) return
    lane.isExhausted = false
    this.#loop.wake()
  }

  /** Gives back the unstarted jobs of a queue, or of one of its groups: whether they may start has changed since they were claimed. */
  hold(queue: string, group: string | null): void {
    const lane = this.#deps.runner.lanes.get(queue)
    if (!lane) return
    this.#holds.add(queue, group)
    this.#giveBackHeld(lane.remove(this.#holds.covers))
  }

  /** Looks again if it was what this worker has in hand that kept it from claiming, or may have been: a slot of a limit. */
  wakeIfFull(): void {
    if (!this.#isFull && !this.#isLimited) return
    for (const lane of this.#deps.runner.lanes.values()) if (lane.isLimited) lane.againAtMs = 0
    this.#loop.wake()
  }

  /** Looks again for what a hold made it give back, once that is written: nobody notifies of it, and some of it may start all the same. */
  wakeIfReturned(): void {
    if (this.#givenBack.size === 0) return
    const unsettled = new Set(this.#deps.settler.ids())
    for (const [id, queue] of this.#givenBack) {
      if (unsettled.has(id)) continue
      this.#givenBack.delete(id)
      this.wakeFor(queue)
    }
  }

  /** For how long every claim has left jobs behind, in ms. */
  get busyMs(): number {
    return this.#busySinceMs === undefined ? 0 : this.#busyUntilMs - this.#busySinceMs
  }

  async #step(): Promise<number> {
    const { runner } = this.#deps
    runner.giveBack(runner.surplus())
    runner.startAll()
    if (this.#isInDoubt()) await this.#releaseStrays()
    const wanted = this.#wanted()
    if (wanted.length === 0) return this.#deps.pollMs
    const found = await this.#claim(wanted)
    const isMore = wanted.some(({ queue }) => runner.lanes.get(queue)?.isExhausted === false)
    if (found > 0) this.#idlePollMs = FIRST_POLL_MS
    return isMore || this.#isLeftOut(wanted) ? this.#goOn() : Math.min(this.#rest(), this.#againMs())
  }

  /** Whether there are slots left for a queue that probably has jobs and was not asked, since others were asked for as many. */
  #isLeftOut(wanted: readonly Wanted[]): boolean {
    const { runner } = this.#deps
    if (runner.freeSlots === Infinity || runner.freeSlots === 0) return false
    const now = monotonicMs()
    const asked = new Set(wanted.map(({ queue }) => queue))
    return [...runner.lanes].some(
      ([queue, lane]) => lane.hasFreeSlot && lane.isHopeful(now) && !asked.has(queue),
    )
  }

  /** When to look again at what limits keep back, in ms from now; Infinity when there is nothing of the kind. */
  #againMs(): number {
    const atMs = Math.min(...[...this.#deps.runner.lanes.values()].map((lane) => lane.againAtMs))
    return Math.max(0, atMs - monotonicMs())
  }

  #goOn(): number {
    this.#busyUntilMs = monotonicMs()
    this.#busySinceMs ??= this.#busyUntilMs
    return 0
  }

  #rest(): number {
    if (this.#busySinceMs !== undefined) this.#deps.onIdle()
    this.#busySinceMs = undefined
    return this.#nextPoll()
  }

  /** While enqueues certainly notify, polling is only the net; else the wait grows from almost nothing. */
  #nextPoll(): number {
    if (this.#deps.isNotified()) return jittered(this.#deps.pollMs)
    const waitMs = this.#idlePollMs
    this.#idlePollMs = Math.min(this.#deps.pollMs, waitMs * 2)
    return jittered(waitMs)
  }

  /** What to claim of each queue, within what this worker may have in hand. */
  #wanted(): Wanted[] {
    const { runner, settler, mayClaim } = this.#deps
    if (!mayClaim() || runner.isolating) return []
    const room = settler.unsettled < UNSETTLED_LIMIT ? HELD_LIMIT - runner.held - settler.unsettled : 0
    const lanes = runner.lanesInTurn()
    // Who is first changes where nothing else says who: there may be more lanes than room.
    const first = runner.freeSlots === Infinity ? this.#turn++ % lanes.length : 0
    const turns = [...lanes.slice(first), ...lanes.slice(0, first)]
    const wanted = demandOf(turns, { jobs: room, slots: runner.freeSlots, nowMs: monotonicMs() })
    this.#isFull = room <= wanted.reduce((sum, { limit }) => sum + limit, 0)
    return wanted
  }

  async #claim(wanted: readonly Wanted[]): Promise<number> {
    const { database, store, runner, workerId } = this.#deps
    const id = workerId()
    const startedMs = monotonicMs()
    const turns = wanted.map((want) => ({ ...want, lastGroup: this.#lastGroups.get(want.queue) }))
    const plan = this.#floors.apply(turns, startedMs)
    this.#holds.clear()
    const notes = new Map<string, ClaimNote>()
    const jobs = await this.#inDoubt(
      store.claim(database, { workerId: id, wanted: plan.wanted }, (queue, note) => notes.set(queue, note)),
    )
    const nowMs = monotonicMs()
    this.#floors.learn({ ...plan, jobs, tookMs: nowMs - startedMs, nowMs })
    this.#markExhausted(wanted, jobs)
    this.#heed(wanted, notes)
    // Claimed under an id that was declared lost in between: those claims are void, and others rescue the jobs.
    if (id === workerId()) runner.add(this.#withoutHeld(jobs))
    return jobs.length
  }

  #markExhausted(wanted: readonly Wanted[], jobs: readonly ClaimedJob[]): void {
    const counts = new Map<string, number>()
    for (const { queue } of jobs) counts.set(queue, (counts.get(queue) ?? 0) + 1)
    for (const { queue, limit } of wanted) {
      const lane = this.#deps.runner.lanes.get(queue)
      if (lane) lane.isExhausted = (counts.get(queue) ?? 0) < limit
    }
  }

  /** Does what the claim says of queues that are paused or limited, or whose groups take turns. */
  #heed(wanted: readonly Wanted[], notes: ReadonlyMap<string, ClaimNote>): void {
    const { runner } = this.#deps
    for (const { queue } of wanted) {
      const note = notes.get(queue)
      const lane = runner.lanes.get(queue)
      if (!lane) continue
      lane.isLimited = note?.limited === true
      lane.isCounted = note?.counted === true
      lane.againAtMs = note?.againMs ? monotonicMs() + note.againMs : Infinity
      if (note?.cursor !== undefined) this.#lastGroups.set(queue, note.cursor)
      if (note?.paused) runner.giveBack(lane.drain())
      if (note?.againMs === 0) lane.isExhausted = false
    }
    this.#isLimited = [...runner.lanes.values()].some((lane) => lane.isLimited)
  }

  #withoutHeld(jobs: readonly ClaimedJob[]): readonly ClaimedJob[] {
    const held = jobs.filter(this.#holds.covers)
    if (held.length === 0) return jobs
    this.#giveBackHeld(held)
    return jobs.filter((job) => !this.#holds.covers(job))
  }

  #giveBackHeld(jobs: readonly ClaimedJob[]): void {
    for (const { id, queue } of jobs) this.#givenBack.set(id, queue)
    this.#deps.runner.giveBack(jobs)
  }

  async #inDoubt<T>(claim: Promise<T>): Promise<T> {
    try {
      return await claim
    } catch (error) {
      this.#doubtUntilMs = monotonicMs() + DOUBT_MS
      this.#nextStraysMs = 0
      throw error
    }
  }

  /** A claim that failed may have been made all the same, or be made yet: look for its jobs, several times. */
  #isInDoubt(): boolean {
    const now = monotonicMs()
    return now < this.#doubtUntilMs && now >= this.#nextStraysMs
  }

  async #releaseStrays(): Promise<void> {
    const { database, store, runner, settler, workerId } = this.#deps
    await store.releaseStrays(database, workerId(), [...runner.ids(), ...settler.ids()])
    this.#nextStraysMs = monotonicMs() + STRAYS_EVERY_MS
  }
}
