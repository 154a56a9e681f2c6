import type { Statement, Tables } from './statement.ts'

export interface StraysParams {
  readonly workerId: string
  /** The jobs that the worker knows it has. */
  readonly known: readonly string[]
}

/**
 * Gives back what a worker has claimed without knowing: a claim may have been made whose answer never came. Nobody has
 * begun these jobs, so the attempt is not charged.
 */
export const releaseStrays = (t: Tables): Statement<StraysParams, { readonly id: string }> => ({
  name: 'release strays',
  text: `
WITH stray AS MATERIALIZED (
  SELECT live.ctid AS tid
  FROM ${t.live} AS live
  WHERE live.status = 'processing' AND live.locked_by = $1 AND NOT (live.id = ANY ($2::uuid[]))
  FOR UPDATE SKIP LOCKED
)
UPDATE ${t.live} AS job
SET status = 'pending',
    attempts = greatest(attempts - 1, 0),
    fence = fence + 1,
    locked_by = NULL
WHERE job.ctid = ANY (ARRAY(SELECT tid FROM stray))
RETURNING job.id`,
  values: ({ workerId, known }) => [workerId, known],
})
