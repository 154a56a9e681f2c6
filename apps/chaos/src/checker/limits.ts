import type { Change, Timeline } from './timeline.ts'
import type { Finding } from './violation.ts'

/** No more jobs of a queue, or of one of its groups, have a live claim at once than its limits allow, over all workers. */
export function* overLimits({ changes, history }: Timeline): Iterable<Finding> {
  const running = new Map<string, Set<string>>()
  for (const change of changes) {
    for (const [place, limit] of placesOf(change, history.terms.limits)) {
      const now = running.get(place) ?? new Set()
      running.set(place, now)
      if (change.to?.status !== 'processing') now.delete(change.id)
      else if (now.add(change.id).size > limit && change.kind === 'claimed')
        yield {
          job: change.id,
          message: `${now.size} jobs of ${place} run at once, and its limit is ${limit}`,
        }
    }
  }
}

/** What a job counts against, and how many may run there. */
function placesOf({ from, to }: Change, limits: Timeline['history']['terms']['limits']): [string, number][] {
  const job = to ?? from
  const limit = job && limits[job.queue]
  if (!limit) return []
  const queue: [string, number] = [job.queue, limit.concurrency]
  return job.group === null ? [queue] : [queue, [`${job.queue}, group ${job.group}`, limit.perGroup]]
}
