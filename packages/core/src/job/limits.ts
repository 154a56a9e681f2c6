import { type Duration, durationMs } from '../runtime/duration.ts'
import { integerOption, knownOptions } from '../runtime/options.ts'

/** How many jobs may begin in a time. */
export interface Rate {
  /** So many jobs (or so much cost), 1 to 1,000,000,000 … */
  readonly limit: number
  /** … in this time, 1 ms to 100 years. */
  readonly per: Duration
  /**
   * How many may begin at once after a quiet time; the others are spread evenly. In any span of time t at most
   * `burst + limit × t / per` begin. 1 to 1,000,000,000. @default what begins in 50 ms, at least 1
   */
  readonly burst?: number
}

/** What may run at once, and how fast jobs may begin. */
export interface Limits {
  /** How many jobs run at once over all workers, 1 to 1,000,000. @default no limit */
  readonly concurrency?: number
  /** How fast jobs begin over all workers. @default no limit */
  readonly rate?: Rate
}

/** The limits of a queue, and those of each of its groups. Jobs without a group have the limits of the queue only. */
export interface QueueLimits extends Limits {
  readonly perGroup?: Limits
}

/** A rate, checked. */
interface CheckedRate {
  readonly limit: number
  readonly perMs: number
  readonly burst: number | null
}

/** Limits, checked; null for none. */
export interface CheckedLimits {
  readonly concurrency: number | null
  readonly rate: CheckedRate | null
  readonly groupConcurrency: number | null
  readonly groupRate: CheckedRate | null
}

const MOST_RUNNING = 1_000_000
const MOST_BEGINNING = 1_000_000_000

/**
 * Checks limits.
 * @throws PgqError INVALID_OPTION
 */
export function checkLimits(limits: QueueLimits): CheckedLimits {
  knownOptions('limits', limits, ['concurrency', 'rate', 'perGroup'])
  const perGroup = limits.perGroup ?? {}
  knownOptions('limits.perGroup', perGroup, ['concurrency', 'rate'])
  return Object.freeze({
    concurrency: concurrency('limits.concurrency', limits.concurrency),
    rate: rate('limits.rate', limits.rate),
    groupConcurrency: concurrency('limits.perGroup.concurrency', perGroup.concurrency),
    groupRate: rate('limits.perGroup.rate', perGroup.rate),
  })
}

const concurrency = (option: string, value: number | undefined): number | null =>
  value === undefined ? null : integerOption(option, value, 1, MOST_RUNNING)

function rate(option: string, given: Rate | undefined): CheckedRate | null {
  if (given === undefined) return null
  knownOptions(option, given, ['limit', 'per', 'burst'])
  return Object.freeze({
    limit: integerOption(`${option}.limit`, given.limit, 1, MOST_BEGINNING),
    perMs: durationMs(`${option}.per`, given.per, { min: 1 }),
    burst:
      given.burst === undefined ? null : integerOption(`${option}.burst`, given.burst, 1, MOST_BEGINNING),
  })
}
