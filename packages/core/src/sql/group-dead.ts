import { epochMs } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

/** Dead jobs of one queue that died of the same. */
export interface DeadGroupRow {
  readonly queue_name: string
  /** The message, with ids and numbers replaced. */
  readonly pattern: string
  /** The message of the newest of them. */
  readonly sample: string
  readonly sample_id: string
  readonly jobs: string
  readonly first_ms: string
  readonly last_ms: string
}

/** A message without what differs from job to job: ids, numbers, what stands in quotes. */
const PATTERN = `regexp_replace(
    regexp_replace(left(job.error, 300), '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9]+', '#', 'g'),
    '"[^"]*"|''[^'']*''', '…', 'g')`

/** The newest dead jobs, by queue and by what they died of: no more than $2 rows, along the index of the times. */
export const groupDead = (
  t: Tables,
): Statement<{ readonly queue: string | null; readonly limit: number }, DeadGroupRow> => ({
  name: 'group dead jobs',
  text: `
WITH newest AS MATERIALIZED (
  SELECT job.id, job.queue_name, job.completed_at, coalesce(job.error, '') AS error, job.status
  FROM ${t.dead} AS job
  WHERE job.completed_at IS NOT NULL
  ORDER BY job.completed_at DESC
  LIMIT $2
)
SELECT job.queue_name, ${PATTERN} AS pattern,
       (array_agg(left(job.error, 1000) ORDER BY job.completed_at DESC))[1] AS sample,
       (array_agg(job.id ORDER BY job.completed_at DESC))[1] AS sample_id, count(*) AS jobs,
       min(${epochMs('job.completed_at')}) AS first_ms, max(${epochMs('job.completed_at')}) AS last_ms
FROM newest AS job
WHERE job.status = 'dead' AND ($1::text IS NULL OR job.queue_name = $1)
GROUP BY 1, 2
ORDER BY count(*) DESC, 1, 2
LIMIT 200`,
  values: ({ queue, limit }) => [queue, limit],
})
