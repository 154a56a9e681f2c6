import type { ClaimedJob } from '../job/job.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Handler } from './handler.ts'

/** Hold only what will start within this time, in ms: slow jobs are not hoarded, and a crash strands few. */
const PREFETCH_MS = 100
/** Never hold more than this many unstarted jobs of one queue. */
const PREFETCH_LIMIT = 2_000
/** Nor more than about this much of their payloads, in characters. */
const PREFETCH_CHARACTERS = 16 * 1024 * 1024
/** Give jobs back that have waited this long, since they were to start within PREFETCH_MS. In ms. */
const OVERDUE_MS = 1_000
/** How much a new measurement counts against the older ones. */
const WEIGHT = 0.1

/**
 * The jobs of one queue in this worker: those that wait for a slot, how many run, and how fast they go. A slot runs one
 * job, or one chunk of them.
 */
export class Lane {
  readonly handler: Handler
  /** How many of its jobs, or of their chunks, run at once. */
  readonly concurrency: number
  /** The most jobs that go into one slot. */
  readonly #size: number
  /** Whether the last claim found fewer jobs than it wanted: more are told of, or found by the next poll. */
  isExhausted = false
  /** Whether a limit kept jobs back: then none is held that does not start at once, since it would take a slot from others. */
  isLimited = false
  /** Whether it has limits, reached or not. Then none is held that waits for a slot of other queues. */
  isCounted = false
  /** When to look again at what a limit kept back, by the clock of this process; Infinity when nothing is known. In ms. */
  againAtMs = Infinity
  readonly #waiting: ClaimedJob[] = []
  #next = 0
  #running = 0
  #msPerJob: number | undefined
  /** How long payloads are, rather too long than too short: the longest of late. */
  #payloadLength = 1
  #lastEndMs = monotonicMs()
  #lastAddMs = 0
  /** Since when the oldest of those that wait does, or a little longer. */
  #waitingSinceMs = 0

  /** Whether other lanes have all slots of the worker; undefined while each has its own. */
  readonly #isShutOut: (() => boolean) | undefined

  /**
   * @param limit how many jobs the worker runs at once over all queues
   * @param isShutOut whether others have all of them now, where lanes share
   */
  constructor(handler: Handler, limit: number, isShutOut?: () => boolean) {
    this.handler = handler
    this.concurrency = Math.min(handler.concurrency, limit)
    this.#size = handler.chunk?.size ?? 1
    this.#isShutOut = isShutOut
  }

  get running(): number {
    return this.#running
  }

  /** How many claimed jobs have not been started. */
  get waiting(): number {
    return this.#waiting.length - this.#next
  }

  get hasFreeSlot(): boolean {
    return this.#running < this.concurrency
  }

  get freeSlots(): number {
    return this.concurrency - this.#running
  }

  /** Whether there are probably jobs to be claimed. */
  isHopeful(nowMs: number): boolean {
    return !this.isExhausted || nowMs >= this.againAtMs
  }

  /** Whether it is time to claim more: before the slots run dry, yet not for every single job. */
  get isLow(): boolean {
    return this.hasFreeSlot || this.waiting * 2 <= this.#prefetch()
  }

  /**
   * How many jobs to claim: what fills the free slots, and what will start soon after.
   * @param slots how many of its free slots it may fill
   */
  wanted(slots = this.freeSlots): number {
    return Math.max(0, slots * this.#size + this.#prefetch() - this.waiting)
  }

  /** @param nowMs by the clock of this process */
  add(job: ClaimedJob, nowMs: number): void {
    this.#lastAddMs = nowMs
    if (this.waiting === 0) this.#waitingSinceMs = nowMs
    this.#waiting.push(job)
    const average = this.#payloadLength + WEIGHT * (job.payloadLength - this.#payloadLength)
    this.#payloadLength = Math.max(1, job.payloadLength, average)
  }

  /** The ids of the jobs that wait. */
  ids(): string[] {
    return this.#waiting.slice(this.#next).map((job) => job.id)
  }

  /** The groups of the jobs that wait, with '' for none. */
  groups(): Set<string> {
    return new Set(this.#waiting.slice(this.#next).map(({ group }) => group ?? ''))
  }

  /** Takes the next job and a slot for it. */
  take(): ClaimedJob | undefined {
    if (!this.hasFreeSlot || this.waiting === 0) return undefined
    const job = this.#waiting[this.#next++]
    if (this.#next === this.#waiting.length || this.#next > PREFETCH_LIMIT) {
      this.#waiting.splice(0, this.#next)
      this.#next = 0
    }
    this.#running++
    return job
  }

  /** Takes the next chunk of jobs and a slot for it. */
  takeChunk(): ClaimedJob[] {
    if (this.chunkDueMs > 0) return []
    const end = Math.min(this.#waiting.length, this.#next + this.#size)
    const jobs = this.#waiting.splice(0, end).slice(this.#next)
    this.#next = 0
    this.#running++
    return jobs
  }

  /** Whether something of it may begin now. */
  get isReady(): boolean {
    return this.handler.chunk ? this.chunkDueMs === 0 : this.hasFreeSlot && this.waiting > 0
  }

  /** In how many ms a chunk may begin: 0 for now, Infinity while there is no slot or no job. */
  get chunkDueMs(): number {
    if (!this.hasFreeSlot || this.waiting === 0) return Infinity
    if (this.waiting >= this.#size) return 0
    return Math.max(0, this.#waitingSinceMs + this.#waitMs - monotonicMs())
  }

  /** Those jobs that wait and are among these. */
  find(ids: ReadonlySet<string>): ClaimedJob[] {
    return this.waiting === 0 ? [] : this.#waiting.slice(this.#next).filter((job) => ids.has(job.id))
  }

  /** Removes those jobs that wait and are picked. */
  remove(picks: (job: ClaimedJob) => boolean): ClaimedJob[] {
    const all = this.drain()
    for (const job of all) if (!picks(job)) this.#waiting.push(job)
    return all.filter(picks)
  }

  /** Takes a slot for a job that does not wait here. */
  occupy(): void {
    this.#running++
  }

  /** Gives a slot back and learns from how long it was taken. */
  release(tookMs: number): void {
    this.#running--
    this.#lastEndMs = monotonicMs()
    this.#msPerJob =
      this.#msPerJob === undefined ? tookMs : this.#msPerJob + WEIGHT * (tookMs - this.#msPerJob)
  }

  /** Removes the jobs that wait for slots which others have, and will not start soon. */
  shutOut(): ClaimedJob[] {
    return this.waiting === 0 ? [] : this.#waiting.splice(this.#next + this.#prefetch())
  }

  /** Removes all jobs that wait. */
  drain(): ClaimedJob[] {
    const jobs = this.#waiting.splice(0).slice(this.#next)
    this.#next = 0
    return jobs
  }

  /** Removes the jobs that wait in vain because the handlers have become much slower than when they were claimed. */
  surplus(): ClaimedJob[] {
    if (this.waiting === 0 || monotonicMs() - this.#lastAddMs < OVERDUE_MS + this.#waitMs) return []
    return this.#waiting.splice(this.#next + this.#prefetch())
  }

  get #waitMs(): number {
    return this.handler.chunk?.waitMs ?? 0
  }

  /** How many jobs will start within PREFETCH_MS. Nothing is known before the first has ended, so nothing is held. */
  #prefetch(): number {
    if (this.#msPerJob === undefined || this.isLimited || (this.isCounted && this.#isShutOut)) return 0
    const isHeldUp = !this.hasFreeSlot || this.#isShutOut?.() === true
    const sinceLastEnd = isHeldUp ? monotonicMs() - this.#lastEndMs : 0
    const msPerJob = Math.max(this.#msPerJob, sinceLastEnd, 0.001)
    const fitting = Math.floor(PREFETCH_CHARACTERS / this.#payloadLength)
    const calls = Math.floor((this.concurrency * PREFETCH_MS) / msPerJob)
    return Math.min(PREFETCH_LIMIT, fitting, calls * this.#size)
  }
}
