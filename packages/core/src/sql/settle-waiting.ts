import { appendError, epochMs, moveInto } from './columns.ts'
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
 * The statement inside of `settle_waiting`: puts claimed jobs back to wait. A failed attempt stays charged; a snooze and a
 * release give it back. The fence rises, so a repeated settle of the same claim finds nothing. Parameters: $1 ids, $2
 * fences, $3 worker ids, $4 changes.
 */
export const settleWaitingText = (t: Tables): string => `
WITH ${heldClaims(t)},
removed AS (
  DELETE FROM ${t.processing} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM held))
  RETURNING job.*
)
${moveInto(t.waiting, 'removed', {
  status: `$4::jsonb -> id::text ->> 'status'`,
  attempts: `CASE $4::jsonb -> id::text ->> 'status' WHEN 'pending' THEN greatest(attempts - 1, 0) ELSE attempts END`,
  scheduled_for: `coalesce(clock_timestamp() + ($4::jsonb -> id::text ->> 'delay_ms')::float8 * interval '1 ms', scheduled_for)`,
  fence: 'fence + 1',
  locked_by: 'NULL',
  // It has ended in good order, so it is not what kills processes.
  crashes: `CASE WHEN $4::jsonb -> id::text ? 'error' THEN 0 ELSE crashes END`,
  error: `coalesce($4::jsonb -> id::text -> 'error' ->> 'message', error)`,
  errors: `CASE WHEN $4::jsonb -> id::text ? 'error' THEN ${appendError(`($4::jsonb -> id::text -> 'error')`)} ELSE errors END`,
})}
RETURNING id, ${epochMs('scheduled_for')}`

/** Settles jobs that will run again; in a function for the same reasons as the claim. */
export const settleWaiting = (
  t: Tables,
): Statement<WaitingParams, { readonly id: string; readonly scheduled_ms: string }> => ({
  name: 'settle waiting jobs',
  text: `SELECT id, scheduled_ms FROM ${t.schema}.settle_waiting($1::uuid[], $2::integer[], $3::uuid[], $4::text::jsonb)`,
  values: ({ claims, changes }) => [...claimValues(claims), changes],
})
