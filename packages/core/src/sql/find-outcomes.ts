import type { Statement, Tables } from './statement.ts'

export interface OutcomeParams {
  readonly ids: readonly string[]
  readonly fences: readonly number[]
}

/**
 * Which claims have already ended in the history, by (id, fence). A settle whose answer was lost asks this before it
 * calls a claim lost: ending a job leaves its fence as it was.
 */
export const findOutcomes = (
  t: Tables,
): Statement<OutcomeParams, { readonly id: string; readonly status: string }> => ({
  name: 'find outcomes',
  text: `
SELECT claim.id, ended.status
FROM unnest($1::uuid[], $2::integer[]) AS claim (id, fence)
CROSS JOIN LATERAL (
  SELECT job.status FROM ${t.completed} AS job WHERE job.id = claim.id AND job.fence = claim.fence
  UNION ALL
  SELECT job.status FROM ${t.dead} AS job WHERE job.id = claim.id AND job.fence = claim.fence
  LIMIT 1
) AS ended`,
  values: ({ ids, fences }) => [ids, fences],
})
