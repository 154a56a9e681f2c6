import { moveInto } from './columns.ts'
import { type Claim, claimValues, heldClaims } from './held-claims.ts'
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
 * The statement inside of `settle_completed`: moves claimed jobs from the processing to the completed ones. Parameters: $1
 * ids, $2 fences, $3 worker ids, $4 results, $5 problems. Answers null when all of them moved, else which did; nearly always
 * it is all of them, and a row for each would only be read to find that out.
 *
 * Results are looked up in a JSON object by id (a binary search) rather than joined: there is no join whose order or
 * method could change. Leaving by DELETE keeps dead rows where vacuum looks first.
 */
export const settleCompletedText = (t: Tables): string => `
WITH ${heldClaims(t)},
removed AS (
  DELETE FROM ${t.processing} AS job
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
SELECT CASE WHEN count(*) < cardinality($1::uuid[]) THEN coalesce(array_agg(id), '{}') END AS accepted FROM moved`

/** Settles completed jobs; in a function for the same reasons as the claim. */
export const settleCompleted = (t: Tables): Statement<CompletedParams, AcceptedRow> => ({
  name: 'settle completed jobs',
  text: `SELECT ${t.schema}.settle_completed($1::uuid[], $2::integer[], $3::uuid[], $4::text::jsonb, $5::text::jsonb) AS accepted`,
  values: ({ claims, results, problems }) => [...claimValues(claims), results, problems],
})

/** Which claims of a batch were accepted: null for all of them, or an array of their ids as PostgreSQL writes one. */
export interface AcceptedRow {
  readonly accepted: string | null
}
