import { epochMs } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

/** How many jobs one queue has, each counted up to a limit. */
export interface SurveyRow {
  readonly queue_name: string
  readonly due: string
  readonly delayed: string
  /** Those of the delayed ones that wait for another attempt. */
  readonly failed: string
  readonly processing: string
  readonly dead: string
  readonly cancelled: string
  readonly oldest_due_ms: string | null
  readonly paused_ms: string | null
  readonly paused_reason: string | null
  /** How many live workers handle it. */
  readonly workers: string
}

/** Steps over an index from one value of its leading columns to the next, and reads one entry of each. */
const steps = (table: string, columns: string, where: string): string => {
  const of = (row: string): string =>
    columns
      .split(', ')
      .map((column) => `${row}.${column}`)
      .join(', ')
  const next = (condition: string): string =>
    `SELECT ${of('job')} FROM ${table} AS job WHERE ${condition} ORDER BY ${of('job')} LIMIT 1`
  return `
  (${next(where)})
  UNION ALL
  SELECT ${of('next')} FROM level CROSS JOIN LATERAL (${next(`${where} AND (${of('job')}) > (${of('level')})`)}) AS next`
}

/** Counts entries of an index, up to $1 of them. */
const counted = (table: string, where: string): string =>
  `(SELECT count(*) FROM (SELECT FROM ${table} AS job WHERE ${where} LIMIT $1) AS counted)`

/** What waits in one place, and since when; $1 of what is due and $1 of what is not are counted. */
const waiting = (table: string, place: string): string => `
  SELECT level.queue_name, ${counted(table, `${place} AND job.scheduled_for <= now()`)} AS due, later.delayed, later.failed,
         (SELECT job.scheduled_for FROM ${table} AS job WHERE ${place} ORDER BY job.scheduled_for LIMIT 1) AS oldest
  FROM level
  CROSS JOIN LATERAL (
    SELECT count(*) AS delayed, count(*) FILTER (WHERE counted.status = 'failed') AS failed
    FROM (SELECT job.status FROM ${table} AS job WHERE ${place} AND job.scheduled_for > now() LIMIT $1) AS counted
  ) AS later`

const SINGLE = 'job.group_key IS NULL AND job.queue_name = level.queue_name AND job.priority = level.priority'
const GROUPED = 'job.group_key IS NOT NULL AND job.queue_name = level.queue_name'

/**
 * Every queue that has jobs which wait, run or are dead, a live worker, or a row of its own, and how many jobs. It walks indexes only, and no
 * more than $1 entries of each place: a backlog of ten million costs what one of $1 does. Jobs with a group have indexes of their own.
 */
export const surveyQueues = (t: Tables): Statement<{ readonly limit: number }, SurveyRow> => ({
  name: 'survey the queues',
  text: `
WITH single AS MATERIALIZED (
  WITH RECURSIVE level AS (${steps(t.waiting, 'queue_name, priority', 'job.group_key IS NULL')})
  ${waiting(t.waiting, SINGLE)}
),
grouped AS MATERIALIZED (
  WITH RECURSIVE level AS (${steps(t.waiting, 'queue_name', 'job.group_key IS NOT NULL')})
  ${waiting(t.waiting, GROUPED)}
),
ended AS MATERIALIZED (
  WITH RECURSIVE level AS (${steps(t.dead, 'queue_name', 'true')})
  SELECT level.queue_name,
         ${counted(t.dead, `job.queue_name = level.queue_name AND job.status = 'dead'`)} AS dead,
         ${counted(t.dead, `job.queue_name = level.queue_name AND job.status = 'cancelled'`)} AS cancelled
  FROM level
),
place AS (
  SELECT queue_name, due, delayed, failed, 0 AS processing, 0 AS dead, 0 AS cancelled, oldest, 0 AS workers FROM single
  UNION ALL
  SELECT queue_name, due, delayed, failed, 0, 0, 0, oldest, 0 FROM grouped
  UNION ALL
  SELECT job.queue_name, 0, 0, 0, count(*), 0, 0, NULL, 0 FROM ${t.processing} AS job GROUP BY job.queue_name
  UNION ALL
  SELECT queue_name, 0, 0, 0, 0, dead, cancelled, NULL, 0 FROM ended
  UNION ALL
  SELECT handled.name, 0, 0, 0, 0, 0, 0, NULL, 1
  FROM ${t.workers} AS worker
  CROSS JOIN LATERAL unnest(worker.queues) AS handled (name)
  WHERE worker.lost_at IS NULL AND worker.lease_until >= clock_timestamp()
  UNION ALL
  SELECT queue.name, 0, 0, 0, 0, 0, 0, NULL, 0 FROM ${t.queues} AS queue
)
SELECT place.queue_name, sum(place.due) AS due, sum(place.delayed) AS delayed, sum(place.failed) AS failed,
       sum(place.processing) AS processing, sum(place.dead) AS dead, sum(place.cancelled) AS cancelled,
       ${epochMs('now()')} - min(${epochMs('place.oldest')}) FILTER (WHERE place.oldest <= now()) AS oldest_due_ms,
       ${epochMs('queue.paused_at')} AS paused_ms, queue.paused_reason, sum(place.workers) AS workers
FROM place
LEFT JOIN ${t.queues} AS queue ON queue.name = place.queue_name
GROUP BY place.queue_name, queue.paused_at, queue.paused_reason`,
  values: ({ limit }) => [limit],
})
