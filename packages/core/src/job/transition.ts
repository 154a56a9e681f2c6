import { type Backoff, DEFAULT_BACKOFF, backoffMs, isBackoffSpec } from '../retry/backoff.ts'
import { type Ending, endingOf } from './endings.ts'
import type { ClaimedJob } from './job.ts'
import { type RecordedError, type RecordedValue, recordError, recordValue } from './recorded.ts'

/** How one attempt went. */
export type AttemptResult =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** The stored payload is not one that the queue takes: no retry can help. */
  | { readonly kind: 'rejected'; readonly error: unknown }
  /** The attempt never began, or ended for a reason that is not its own, such as a stop: it costs nothing. */
  | { readonly kind: 'interrupted'; readonly delayMs?: number }

/** The row change that an attempt leads to. */
export type Transition =
  | { readonly to: 'completed'; readonly result: RecordedValue }
  | { readonly to: 'failed'; readonly delayMs: number; readonly error: RecordedError }
  | { readonly to: 'dead'; readonly error: RecordedError }
  | { readonly to: 'cancelled'; readonly error: RecordedError }
  /** Back to waiting, with the attempt given back: later when snoozed, at its old place when released or rate limited. */
  | {
      readonly to: 'pending'
      readonly cause: 'snoozed' | 'released' | 'rate-limited'
      readonly delayMs?: number
    }

/**
 * Decides what becomes of a job. Pure, and total: whatever was thrown or returned, and whatever a backoff function does,
 * there is a transition. `random` is in [0, 1) and feeds the jitter.
 */
export function decideTransition(
  job: Pick<ClaimedJob, 'attempt' | 'maxAttempts' | 'backoff'>,
  result: AttemptResult,
  backoff: Backoff = DEFAULT_BACKOFF,
  random: number = Math.random(),
): Transition {
  switch (result.kind) {
    case 'returned':
      return { to: 'completed', result: recordValue(result.value) }
    case 'rejected':
      return { to: 'dead', error: recordError(result.error) }
    case 'interrupted':
      return released(result.delayMs)
    case 'threw': {
      const ending = endingOf(result.error)
      return ending
        ? endAsAsked(job, ending, result.error)
        : retryOrDie(job, result.error, delayAfter(job, result.error, backoff, random))
    }
  }
}

function endAsAsked(
  job: Pick<ClaimedJob, 'attempt' | 'maxAttempts'>,
  ending: Ending,
  thrown: unknown,
): Transition {
  switch (ending.kind) {
    case 'snooze':
      return { to: 'pending', cause: 'snoozed', delayMs: ending.delayMs }
    case 'rate-limit':
      return { to: 'pending', cause: 'rate-limited' }
    case 'cancel':
      return { to: 'cancelled', error: recordError(thrown) }
    case 'dead':
      return { to: 'dead', error: recordError(thrown) }
    case 'retry':
      return retryOrDie(job, thrown, ending.delayMs)
  }
}

function retryOrDie(
  job: Pick<ClaimedJob, 'attempt' | 'maxAttempts'>,
  thrown: unknown,
  delayMs: number,
): Transition {
  const error = recordError(thrown)
  return job.attempt >= job.maxAttempts ? { to: 'dead', error } : { to: 'failed', delayMs, error }
}

/** A job's own backoff goes before its queue's; a backoff function that throws must not cost the job its retry. */
function delayAfter(
  job: Pick<ClaimedJob, 'attempt' | 'backoff'>,
  error: unknown,
  backoff: Backoff,
  random: number,
): number {
  const policy = isBackoffSpec(job.backoff) ? job.backoff : backoff
  try {
    return backoffMs(policy, job.attempt, error, random)
  } catch {
    return backoffMs(DEFAULT_BACKOFF, job.attempt, error, random)
  }
}

/** An attempt given back at no cost: to its old place, or for later. */
export function released(delayMs?: number): Transition {
  return delayMs === undefined
    ? { to: 'pending', cause: 'released' }
    : { to: 'pending', cause: 'released', delayMs }
}
