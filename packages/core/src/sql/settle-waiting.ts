import { appendError, epochMs } from './columns.ts'
import { type Claim, claimValues, heldClaims } from './held-claims.ts'
import type { Statement, Tables } from './statement.ts'

export interface WaitingParams {
  /** Sorted by id. */
  readonly claims: readonly Claim[]
  /**
   * A JSON object by job id: `{"status": "failed", "delay_ms", "error"}` for an attempt that will be repeated,
   * `{"status": "pending", "delay_ms"}` for a snooze, `{"status": "pending"}` for a release, which keeps its place.
   */
  readonly changes: string
}

/**
 * Puts claimed jobs back to wait. A failed attempt stays charged; a snooze and a release give it back. The fence rises,
 * so a repeated settle of the same claim finds nothing.
 */
export const settleWaiting = (
  t: Tables,
): Statement<WaitingParams, { readonly id: string; readonly scheduled_ms: string }> => ({
  name: 'settle waiting jobs',
  text: `
WITH ${heldClaims(t)}
UPDATE ${t.live} AS job
SET status = $4::jsonb -> id::text ->> 'status',
    attempts = CASE $4::jsonb -> id::text ->> 'status' WHEN 'pending' THEN greatest(attempts - 1, 0) ELSE attempts END,
    scheduled_for = coalesce(clock_timestamp() + ($4::jsonb -> id::text ->> 'delay_ms')::float8 * interval '1 ms', scheduled_for),
    fence = fence + 1,
    locked_by = NULL,
    -- It has ended in good order, so it is not what kills processes.
    crashes = CASE WHEN $4::jsonb -> id::text ? 'error' THEN 0 ELSE crashes END,
    error = coalesce($4::jsonb -> id::text -> 'error' ->> 'message', error),
    errors = CASE WHEN $4::jsonb -> id::text ? 'error' THEN ${appendError(`($4::jsonb -> id::text -> 'error')`)} ELSE errors END
WHERE job.ctid = ANY (ARRAY(SELECT tid FROM held))
RETURNING job.id, ${epochMs('job.scheduled_for')} AS scheduled_ms`,
  values: ({ claims, changes }) => [...claimValues(claims), changes],
})
