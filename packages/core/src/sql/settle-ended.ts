import { appendError, moveInto } from './columns.ts'
import { type Claim, claimValues, heldClaims } from './held-claims.ts'
import type { Statement, Tables } from './statement.ts'

export interface EndedParams {
  /** Sorted by id. */
  readonly claims: readonly Claim[]
  /** A JSON object by job id: `{"status": "dead" | "cancelled", "error": {"name", "message", "stack"}}`. */
  readonly endings: string
}

/** Moves claimed jobs out of the live table as `dead` or `cancelled`. Returns the ids that moved. */
export const settleEnded = (t: Tables): Statement<EndedParams, { readonly id: string }> => ({
  name: 'settle ended jobs',
  text: `
WITH ${heldClaims(t)},
removed AS (
  DELETE FROM ${t.live} AS job
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
RETURNING id`,
  values: ({ claims, endings }) => [...claimValues(claims), endings],
})
