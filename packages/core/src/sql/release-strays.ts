import { moveInto } from './columns.ts'
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
  SELECT job.ctid AS tid
  FROM ${t.processing} AS job
  WHERE job.locked_by = $1 AND NOT (job.id = ANY ($2::uuid[]))
  FOR UPDATE SKIP LOCKED
),
removed AS (
  DELETE FROM ${t.processing} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM stray))
  RETURNING job.*
)
${moveInto(t.waiting, 'removed', {
  status: `'pending'`,
  attempts: 'greatest(attempts - 1, 0)',
  fence: 'fence + 1',
  locked_by: 'NULL',
})}
RETURNING id`,
  values: ({ workerId, known }) => [workerId, known],
})
