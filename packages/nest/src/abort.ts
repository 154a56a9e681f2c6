import type { JobContext } from '@pgq/core'

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
