import type { ClaimedJob } from './job.ts'

/** Orders jobs so that the groups of a queue take turns; those of one group, and those without any, keep their order. */
export function inTurns(jobs: ClaimedJob[]): ClaimedJob[] {
  if (jobs.every(({ group }) => group === null)) return jobs
  const seen = new Map<string, number>()
  const placed = jobs.map((job) => {
    const key = JSON.stringify([job.queue, job.group])
    const turn = seen.get(key) ?? 0
    seen.set(key, turn + 1)
    return { job, turn }
  })
  return placed.toSorted((a, b) => a.turn - b.turn).map(({ job }) => job)
}
