import type { ClaimedJob } from '../job/job.ts'
import type { Attempt } from './attempt.ts'

/** Says of jobs whether their last attempt is stuck in this worker: they would only take another slot here, and are left to others. */
export function stuckIn(running: ReadonlySet<Attempt>): (job: ClaimedJob) => boolean {
  const stuck = new Set([...running].flatMap((attempt) => (attempt.settledEarly ? [attempt.job.id] : [])))
  return (job) => stuck.has(job.id)
}
