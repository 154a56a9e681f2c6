import type { ClaimedJob } from '../job/job.ts'

/** A job that was in hand at two crashes, or at one with its last attempt to come, is run alone: innocents survive it. */
export const isSuspect = (job: ClaimedJob): boolean =>
  job.crashes >= 2 || (job.crashes === 1 && job.attempt >= job.maxAttempts)
