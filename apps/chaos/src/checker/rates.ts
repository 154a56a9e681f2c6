import type { RateTerms } from '../history/records.ts'
import type { Timeline } from './timeline.ts'
import type { Finding } from './violation.ts'

/** What is saved up for a place, and when that was. */
interface Bucket {
  readonly saved: number
  readonly atMs: number
}

/** Less than this is the rounding of times to microseconds. */
const ROUNDING = 0.01

/**
 * In any span of time t no more begins than `burst + limit * t / perMs`, of a queue or of one of its groups, over all workers. That
 * is what a bucket of tokens lets out, and this one is not the number that the package keeps.
 */
export function* overRates({ changes, history }: Timeline): Iterable<Finding> {
  const buckets = new Map<string, Bucket>()
  for (const { id, kind, to } of changes) {
    const rates = to && history.terms.rates[to.queue]
    if (!rates || kind !== 'claimed' || to.startedAt === null) continue
    const places: [string, RateTerms][] = [[to.queue, rates.queue]]
    if (to.group !== null) places.push([`${to.queue}, group ${to.group}`, rates.group])
    for (const [place, rate] of places) {
      const left = after(buckets.get(place), rate, to.startedAt) - to.cost
      buckets.set(place, { saved: left, atMs: to.startedAt })
      if (left < -ROUNDING)
        yield {
          job: id,
          message: `jobs of ${place} began faster than ${rate.limit} in ${rate.perMs} ms, by ${(-left).toFixed(2)}`,
        }
    }
  }
}

/** What is saved up by then. Who has not begun has saved all there may be. */
function after(bucket: Bucket | undefined, { limit, perMs, burst }: RateTerms, nowMs: number): number {
  if (!bucket) return burst
  return Math.min(burst, bucket.saved + ((nowMs - bucket.atMs) * limit) / perMs)
}
