import { moveInto } from './columns.ts'
import { acceptedOf, type AcceptedRow, type Claim, claimValues, heldClaims } from './held-claims.ts'
import type { Statement, Tables } from './statement.ts'

export interface CompletedParams {
  /** Sorted by id. */
  readonly claims: readonly Claim[]
  /** A JSON object: results by job id, of those jobs that have one. Null for none: the planner then leaves the look-ups out. */
  readonly results: string | null
  /** A JSON object: notes by job id, where a result could not be stored as it was; or null. */
  readonly problems: string | null
}

/**
 * Moves claimed jobs from the live table to the completed history. Returns the ids that moved; a claim that is missing
 * from them was lost.
 *
 * Results are looked up in a JSON object by id (a binary search) rather than joined: there is no join whose order or
 * method could change. Leaving the live table by DELETE keeps dead rows where vacuum looks first.
 */
export const settleCompleted = (t: Tables): Statement<CompletedParams, AcceptedRow> => ({
  name: 'settle completed jobs',
  text: `
WITH ${heldClaims(t)},
removed AS (
  DELETE FROM ${t.live} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM held))
  RETURNING job.*
),
moved AS (
${moveInto(t.completed, 'removed', {
  status: `'completed'`,
  completed_at: 'clock_timestamp()',
  locked_by: 'NULL',
  error: 'coalesce($5::jsonb ->> id::text, error)',
  result: '$4::jsonb -> id::text',
})}
RETURNING id
)
${acceptedOf('moved')}`,
  values: ({ claims, results, problems }) => [...claimValues(claims), results, problems],
})
