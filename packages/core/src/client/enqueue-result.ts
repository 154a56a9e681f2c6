import type { NewJob } from '../job/new-job.ts'

/** What became of an enqueue. */
export interface EnqueueResult {
  /** The id of the new job, or of the one that stands in its place. */
  readonly id: string
  /** True when a job with the same unique key stands in its place, and no new one was written. */
  readonly deduplicated: boolean
  /** True when the job that stands has taken over what the new one brought: its payload, time or priority. */
  readonly replaced?: true
}

/** Which job stands for one that was not written, and whether it was changed. */
export interface Deduplicated {
  readonly standing: string
  readonly outcome: string
}

/** The result of a job that was written. */
export const written = ({ id }: NewJob): EnqueueResult => ({ id, deduplicated: false })

/** The result of a job, by what the database says of those that it did not write. */
export function resultOf(job: NewJob, standing: ReadonlyMap<string, Deduplicated>): EnqueueResult {
  const other = standing.get(job.id)
  if (other === undefined) return written(job)
  return { id: other.standing, deduplicated: true, ...(other.outcome === 'replaced' && { replaced: true }) }
}
