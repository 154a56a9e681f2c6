import { appendError, moveInto } from './columns.ts'
import { type Claim, claimValues, heldClaims } from './held-claims.ts'
import type { Statement, Tables } from './statement.ts'

export interface EndedParams {
  /** Sorted by id. */
  readonly claims: readonly Claim[]
  /** A JSON object by job id: `{"status": "dead" | "cancelled", "error": {"name", "message", "stack"}}`. */
  readonly endings: string
}

/**
 * The statement inside of `settle_ended`: moves claimed jobs from the processing ones to those that are `dead` or
 * `cancelled`. Parameters: $1 ids, $2 fences, $3 worker ids, $4 endings. Returns the ids that moved.
 */
export const settleEndedText = (t: Tables): string => `
WITH ${heldClaims(t)},
removed AS (
  DELETE FROM ${t.processing} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM held))
  RETURNING job.*
)
${moveInto(t.dead, 'removed', {
  status: `$4::jsonb -> id::text ->> 'status'`,
  completed_at: 'clock_timestamp()',
  locked_by: 'NULL',
  error: `$4::jsonb -> id::text -> 'error' ->> 'message'`,
  errors: appendError(`($4::jsonb -> id::text -> 'error')`),
})}
RETURNING id`

/** Settles jobs that have come to a bad end; in a function for the same reasons as the claim. */
export const settleEnded = (t: Tables): Statement<EndedParams, { readonly id: string }> => ({
  name: 'settle ended jobs',
  text: `SELECT id FROM ${t.schema}.settle_ended($1::uuid[], $2::integer[], $3::uuid[], $4::text::jsonb)`,
  values: ({ claims, endings }) => [...claimValues(claims), endings],
})
