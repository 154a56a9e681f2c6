import { type Duration, durationMs } from '@pgq/core'

/**
 * A duration as the header `Retry-After` wants it: whole seconds, 1 at least.
 * @throws PgqError INVALID_OPTION
 */
export function retryAfterSeconds(value: Duration): number {
  return Math.max(1, Math.ceil(durationMs('retryAfter', value) / 1_000))
}
