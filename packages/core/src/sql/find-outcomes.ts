import { epochMs } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

export interface OutcomeParams {
  readonly ids: readonly string[]
  readonly fences: readonly number[]
  /** Which attempts the claims were for. */
  readonly attempts: readonly number[]
  /** When the claims were made, in ms. */
  readonly startsMs: readonly number[]
}

/**
 * Which claims were settled. A settle whose answer was lost asks this before it calls a claim lost. Ending a job leaves its
 * fence as it was; putting it back to wait raises it by one, as a rescue does, which leaves a record of its own, and as a
 * change by hand does, which gives no attempt back. The time of the claim tells it from one that was made after a crash of the
 * server had undone this one: that has the same fence.
 */
export const findOutcomes = (
  t: Tables,
): Statement<OutcomeParams, { readonly id: string; readonly status: string }> => ({
  name: 'find outcomes',
  text: `
SELECT claim.id, outcome.status
FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::float8[]) AS claim (id, fence, attempt, started_ms)
CROSS JOIN LATERAL (
  SELECT job.status, job.started_at FROM ${t.completed} AS job WHERE job.id = claim.id AND job.fence = claim.fence
  UNION ALL
  SELECT job.status, job.started_at FROM ${t.dead} AS job WHERE job.id = claim.id AND job.fence = claim.fence
  UNION ALL
  SELECT job.status, job.started_at
  FROM (SELECT * FROM ${t.waiting} AS waiting WHERE waiting.id = claim.id AND waiting.fence = claim.fence + 1 OFFSET 0) AS job
  WHERE (job.status = 'failed' AND job.errors -> -1 ->> 'name' <> 'WORKER_LOST')
     OR (job.status = 'pending' AND job.attempts = claim.attempt - 1)
  LIMIT 1
) AS outcome
WHERE ${epochMs('outcome.started_at')} = claim.started_ms`,
  values: ({ ids, fences, attempts, startsMs }) => [ids, fences, attempts, startsMs],
})
