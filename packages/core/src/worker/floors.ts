import type { ClaimedJob } from '../job/job.ts'
import type { ClaimFloor, ClaimWanted } from '../sql/claim-jobs.ts'

/** Look at everything at least this often while floors are on, in ms … */
const FULL_SCAN_EVERY_MS = 1_000
/** … or less often, so that full scans stay under this share of the time. */
const FULL_SCAN_SHARE = 0.05
/** A full claim that takes less than this is cheap, whatever a floored one takes, in ms. */
const CHEAP_MS = 3
/** Floors are on while a full claim takes this many times as long as a floored one. */
const PAYS_AT = 1.5
/** While they are off, try one claim with a floor every so many. */
const PROBE_EVERY = 16
const WEIGHT = 0.3

/**
 * Decides when a claim starts at a floor: the place in the order of each queue that the last claim reached.
 *
 * While something pins the xmin horizon (a long report, a stuck replication slot) the index entries of finished jobs can't
 * be removed, and a claim from the start walks all of them. A floor skips them. It is only a hint, because jobs do appear
 * below it: from transactions that commit late, with a more urgent priority, with a time in the past. So floors are used
 * only while they measurably pay; and even then a claim looks at everything once a second or so, and whenever a claim
 * with floors comes back short. In ordinary times order and latency are exact, in bad times within that interval.
 */
export class Floors {
  readonly #floors = new Map<string, ClaimFloor>()
  #engaged = false
  #fullMs: number | undefined
  #flooredMs: number | undefined
  #lastFullMs = 0
  #sinceProbe = 0
  #short = true

  /** Whether floors are in use: for metrics and tests. */
  get engaged(): boolean {
    return this.#engaged
  }

  /** Adds floors to what is wanted, or not. */
  apply(
    wanted: readonly Omit<ClaimWanted, 'floor'>[],
    nowMs: number,
  ): { wanted: ClaimWanted[]; floored: boolean } {
    const floored = this.#useFloors(nowMs)
    return {
      floored,
      wanted: wanted.map((want) => ({ ...want, floor: floored ? this.#floors.get(want.queue) : undefined })),
    }
  }

  /** Learns from a claim: how long it took, and how far it got. */
  learn(claim: {
    readonly wanted: readonly ClaimWanted[]
    readonly jobs: readonly ClaimedJob[]
    readonly floored: boolean
    readonly tookMs: number
    readonly nowMs: number
  }): void {
    const { wanted, jobs, floored, tookMs, nowMs } = claim
    for (const { queue, priority, scheduledForMs } of jobs)
      this.#floors.set(queue, { priority, scheduledForMs })
    this.#short = jobs.length < wanted.reduce((sum, want) => sum + want.limit, 0)
    if (!floored) this.#lastFullMs = nowMs
    if (this.#short) {
      // A short claim says nothing about what it costs to find a full one.
      if (!floored) this.#engaged = false
      return
    }
    if (floored) this.#flooredMs = average(this.#flooredMs, tookMs)
    else this.#fullMs = average(this.#fullMs, tookMs)
    this.#decide()
  }

  #useFloors(nowMs: number): boolean {
    if (this.#floors.size === 0 || this.#short) return false
    if (!this.#engaged) return this.#isTimeToProbe()
    const every = Math.max(FULL_SCAN_EVERY_MS, (this.#fullMs ?? 0) / FULL_SCAN_SHARE)
    return nowMs - this.#lastFullMs < every
  }

  #isTimeToProbe(): boolean {
    if ((this.#fullMs ?? 0) < CHEAP_MS || ++this.#sinceProbe < PROBE_EVERY) return false
    this.#sinceProbe = 0
    return true
  }

  #decide(): void {
    if (this.#fullMs === undefined || this.#flooredMs === undefined) return
    this.#engaged = this.#fullMs > CHEAP_MS && this.#fullMs > PAYS_AT * this.#flooredMs
  }
}

const average = (old: number | undefined, value: number): number =>
  old === undefined ? value : old + WEIGHT * (value - old)
