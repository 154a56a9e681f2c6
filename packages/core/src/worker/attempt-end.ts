import { isPgqError } from '../errors.ts'
import type { AttemptEnd } from '../hooks.ts'
import { endingOf } from '../job/endings.ts'
import type { ClaimedJob } from '../job/job.ts'
import type { AttemptResult } from '../job/transition.ts'

/** What the result of an attempt is called, for hooks. */
export function attemptEnd(
  job: Pick<ClaimedJob, 'attempt' | 'maxAttempts'>,
  result: AttemptResult,
): AttemptEnd {
  if (result.kind === 'returned') return { ending: 'completed' }
  if (result.kind === 'interrupted') return { ending: 'released' }
  const { error } = result
  return { ending: result.kind === 'rejected' ? 'dead' : thrownEnding(job, error), error }
}

function thrownEnding(
  job: Pick<ClaimedJob, 'attempt' | 'maxAttempts'>,
  error: unknown,
): AttemptEnd['ending'] {
  if (isPgqError(error, 'JOB_CANCELLED')) return 'cancelled'
  if (isPgqError(error, 'LEASE_LOST')) return 'lost'
  const kind = endingOf(error)?.kind
  if (kind === 'snooze') return 'snoozed'
  if (kind === 'rate-limit') return 'released'
  if (kind === 'cancel') return 'cancelled'
  if (kind === 'dead') return 'dead'
  return job.attempt >= job.maxAttempts ? 'dead' : 'failed'
}
