import type { Tables } from './statement.ts'

/**
 * The due jobs of one group (or of those without one) in their order, as many as there is room for. Where the first of all its jobs are due they
 * are what is wanted, and one range of the index gives them. Where one of these is for later, the same loose scan over priorities as in
 * `claimText` looks for others behind it.
 */
export const dueJobs = (t: Tables, when: string, group: string): string => `
SELECT due.*
FROM (
  WITH RECURSIVE head AS MATERIALIZED (
    SELECT job.ctid AS tid, job.id, job.priority, job.scheduled_for, coalesce(job.cost, 1)::float8 AS cost
    FROM ${t.waiting} AS job
    WHERE ${when} AND job.queue_name = wanted_queue AND ${group}
    ORDER BY job.priority, job.scheduled_for, job.id
    LIMIT turn.room
  ),
  level (priority) AS (
    ( SELECT head.priority FROM head
      WHERE EXISTS (SELECT FROM head AS other WHERE other.scheduled_for > instant)
      ORDER BY head.priority LIMIT 1 )
    UNION ALL
    SELECT ( SELECT job.priority FROM ${t.waiting} AS job
             WHERE job.queue_name = wanted_queue AND ${group} AND job.priority > level.priority
             ORDER BY job.priority LIMIT 1 )
    FROM level WHERE level.priority IS NOT NULL
  )
  SELECT head.* FROM head
  WHERE NOT EXISTS (SELECT FROM head AS other WHERE other.scheduled_for > instant)
  UNION ALL
  ( SELECT one.*
    FROM level
    CROSS JOIN LATERAL (
      SELECT job.ctid AS tid, job.id, job.priority, job.scheduled_for, coalesce(job.cost, 1)::float8 AS cost
      FROM ${t.waiting} AS job
      WHERE job.queue_name = wanted_queue AND ${group} AND job.priority = level.priority AND job.scheduled_for <= instant
      ORDER BY job.scheduled_for, job.id
      LIMIT turn.room
    ) AS one
    WHERE level.priority IS NOT NULL
    LIMIT turn.room )
) AS due`

/** Steps from one group that has jobs to the next, in the order of their keys: one index probe for each, which also tells when its first job is due. */
export const groupsWhere = (t: Tables, bounds: string, most: string): string => `
WITH RECURSIVE turn (key, first_at, looks) AS (
  ( SELECT job.group_key, job.scheduled_for, 1 FROM ${t.waiting} AS job
    WHERE job.queue_name = wanted_queue AND job.group_key IS NOT NULL AND job.group_key > ${bounds}
    ORDER BY job.group_key, job.priority, job.scheduled_for LIMIT 1 )
  UNION ALL
  SELECT next.*, turn.looks + 1
  FROM turn
  CROSS JOIN LATERAL (
    SELECT job.group_key, job.scheduled_for FROM ${t.waiting} AS job
    WHERE job.queue_name = wanted_queue AND job.group_key > turn.key
    ORDER BY job.group_key, job.priority, job.scheduled_for LIMIT 1 ) AS next
  WHERE turn.looks < ${most}
)
SELECT turn.key, turn.first_at FROM turn`
