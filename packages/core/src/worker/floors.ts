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
/** While they are off, try one claim with floors every so many. */
const PROBE_EVERY = 16
/** A claim that found less than this share of what it wanted says nothing about what claims cost. */
const TELLING_SHARE = 0.5
/** How much a new measurement counts against the older ones. */
const WEIGHT = 0.3

/** What was claimed, and how that went. */
export interface ClaimReport {
  readonly wanted: readonly ClaimWanted[]
  readonly jobs: readonly ClaimedJob[]
  readonly floored: boolean
  readonly tookMs: number
  readonly nowMs: number
}

/**
 * Decides when a claim starts at a floor: the place in the order of each queue that the last claim reached.
 *
 * While something pins the xmin horizon (a long report, a stuck replication slot) the index entries of finished jobs can't
 * be removed, and a claim from the start walks all of them. A floor skips them. It is only a hint, because jobs do appear
 * below it: from transactions that commit late, with a more urgent priority, with a time in the past. So floors are used
 * only while they measurably pay; and even then a claim looks at everything once a second or so, and a queue that comes
 * back short is looked at from its start the next time. In ordinary times order and latency are exact, in bad times within
 * that interval.
 */
export class Floors {
  readonly #floors = new Map<string, ClaimFloor>()
  #engaged = false
  #fullMs: number | undefined
  #flooredMs: number | undefined
  #lastFullMs = 0
  #sinceProbe = 0

  /** Whether floors are in use: for metrics and tests. */
  get engaged(): boolean {
    return this.#engaged
  }

  /** Adds floors to what is wanted, or not. */
  apply(
    wanted: readonly Omit<ClaimWanted, 'floor'>[],
    nowMs: number,
  ): Pick<ClaimReport, 'wanted' | 'floored'> {
    const useful = wanted.some((want) => this.#floors.has(want.queue))
    const floored = useful && (this.#engaged ? !this.#isFullScanDue(nowMs) : this.#isProbeDue())
    const floorOf = (queue: string): ClaimFloor | undefined => (floored ? this.#floors.get(queue) : undefined)
    return { floored, wanted: wanted.map((want) => ({ ...want, floor: floorOf(want.queue) })) }
  }

  /** Learns from a claim: how far it got, and how long it took. */
  learn(report: ClaimReport): void {
    const { wanted, jobs, floored, tookMs, nowMs } = report
    if (!floored) this.#lastFullMs = nowMs
    this.#moveFloors(wanted, jobs)
    if (jobs.length < TELLING_SHARE * wanted.reduce((sum, want) => sum + want.limit, 0)) return
    if (floored) this.#flooredMs = average(this.#flooredMs, tookMs)
    else this.#fullMs = average(this.#fullMs, tookMs)
    const pays =
      this.#fullMs !== undefined && this.#flooredMs !== undefined && this.#fullMs > PAYS_AT * this.#flooredMs
    this.#engaged = pays && (this.#fullMs as number) > CHEAP_MS
  }

  /** A queue with more to claim keeps the place of its last job as floor; one that came back short has none. */
  #moveFloors(wanted: readonly ClaimWanted[], jobs: readonly ClaimedJob[]): void {
    const found = new Map<string, { count: number; last: ClaimFloor }>()
    for (const { queue, priority, scheduledForMs, group } of jobs) {
      // Groups take turns: what they have got says nothing about the order of the queue.
      if (group !== null) continue
      found.set(queue, { count: (found.get(queue)?.count ?? 0) + 1, last: { priority, scheduledForMs } })
    }
    for (const { queue, limit } of wanted) {
      const of = found.get(queue)
      if (of && of.count >= limit) this.#floors.set(queue, of.last)
      else this.#floors.delete(queue)
    }
  }

  #isFullScanDue(nowMs: number): boolean {
    return nowMs - this.#lastFullMs >= Math.max(FULL_SCAN_EVERY_MS, (this.#fullMs ?? 0) / FULL_SCAN_SHARE)
  }

  #isProbeDue(): boolean {
    if ((this.#fullMs ?? 0) < CHEAP_MS || ++this.#sinceProbe < PROBE_EVERY) return false
    this.#sinceProbe = 0
    return true
  }
}

const average = (old: number | undefined, value: number): number =>
  old === undefined ? value : old + WEIGHT * (value - old)
