import type { JobContext } from '@pgq/core'

/** The brand of `SnoozeJob`, `RetryJob`, `CancelJob` and `DeadJob`, by which core tells them, of whichever copy of it they are. */
const ENDING = Symbol.for('pgq.ending')

/** Whether something thrown ends the attempt in another way than failing. */
export function isEnding(thrown: unknown): boolean {
  return reads(thrown, (object) => ENDING in object)
}

/** Whether something thrown is the attempt's own signal, as it is or as what was waited for put it. */
export function isAbort(thrown: unknown, { signal }: JobContext): boolean {
  if (!signal.aborted) return false
  if (thrown === signal.reason) return true
  return reads(
    thrown,
    (error: { name?: unknown; cause?: unknown }) =>
      error.name === 'AbortError' || error.cause === signal.reason,
  )
}

/** Looks into a thrown value, which may be a proxy or anything else. */
function reads(thrown: unknown, look: (thrown: object) => boolean): boolean {
  if (typeof thrown !== 'object' || thrown === null) return false
  try {
    return look(thrown)
  } catch {
    return false
  }
}
