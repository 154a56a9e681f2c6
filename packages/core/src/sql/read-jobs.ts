import { epochMs } from './columns.ts'
import { type Parameter, quoteLiteral, type Statement, type Tables } from './statement.ts'

/** The whole row, with times as milliseconds. */
export interface JobRow {
  readonly id: string
  readonly queue_name: string
  readonly payload: string
  readonly status: string
  readonly priority: string
  readonly attempts: string
  readonly max_attempts: string
  readonly fence: string
  readonly scheduled_ms: string
  readonly created_ms: string
  readonly started_ms: string | null
  readonly completed_ms: string | null
  readonly locked_by: string | null
  readonly unique_key: string | null
  readonly group_key: string | null
  readonly error: string | null
  readonly errors: string | null
  readonly result: string | null
  readonly progress: string | null
  readonly metadata: string | null
}

const ROW = `job.id, job.queue_name, job.payload, job.status, job.priority, job.attempts, job.max_attempts, job.fence,
       ${epochMs('job.scheduled_for')} AS scheduled_ms, ${epochMs('job.created_at')} AS created_ms,
       ${epochMs('job.started_at')} AS started_ms, ${epochMs('job.completed_at')} AS completed_ms,
       job.locked_by, job.unique_key, job.group_key, job.error, job.errors, job.result, job.progress, job.metadata`

/** One job by its id: a probe of the id index of each partition. */
export const getJob = (t: Tables): Statement<{ readonly id: string }, JobRow> => ({
  name: 'get job',
  text: `
SELECT ${ROW}
FROM ${t.jobs} AS job
WHERE job.id = $1
LIMIT 1`,
  values: ({ id }) => [id],
})

/** Several jobs by their ids, in no order: the probes of `get job`, one for each. */
export const getJobs = (t: Tables): Statement<{ readonly ids: readonly string[] }, JobRow> => ({
  name: 'get jobs',
  text: `
SELECT ${ROW}
FROM unnest($1::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (SELECT job.* FROM ${t.jobs} AS job WHERE job.id = wanted.id LIMIT 1) AS job`,
  values: ({ ids }) => [ids],
})

/** Which jobs are meant; null for what does not matter. */
export interface FindParams {
  readonly ids: readonly string[] | null
  readonly queue: string | null
  readonly statuses: readonly string[] | null
  readonly uniqueKey: string | null
  /** A JSON text that the payload must contain. */
  readonly payload: string | null
  /** A part of the last error's message. */
  readonly error: string | null
  readonly createdAfter: string | null
  readonly createdBefore: string | null
  /** Only ids that come after this one in the order of the list. */
  readonly after: string | null
  /** Null: all of them. */
  readonly limit: number | null
}

/**
 * The conditions of a filter, as $1 to $8. The statement is planned with its values, so a condition that is null folds
 * away, and `status` excludes whole partitions.
 */
const MATCHES = `($1::uuid[] IS NULL OR job.id = ANY ($1))
  AND ($2::text IS NULL OR job.queue_name = $2)
  AND ($3::text[] IS NULL OR job.status = ANY ($3))
  AND ($4::text IS NULL OR job.unique_key = $4)
  AND ($5::text IS NULL OR job.payload @> $5::text::jsonb)
  AND ($6::text IS NULL OR position(lower($6) IN lower(job.error)) > 0)
  AND ($7::timestamptz IS NULL OR job.created_at >= $7)
  AND ($8::timestamptz IS NULL OR job.created_at < $8)`

const conditionValues = (p: FindParams): Parameter[] => [
  p.ids,
  p.queue,
  p.statuses,
  p.uniqueKey,
  p.payload,
  p.error,
  p.createdAfter,
  p.createdBefore,
]

const filterValues = (p: FindParams): Parameter[] => [...conditionValues(p), p.after, p.limit]

/** A page of jobs, newest id first. Ids are ordered by time, and every partition has them indexed: no sort. */
export const listJobs = (t: Tables): Statement<FindParams, JobRow> => ({
  name: 'list jobs',
  text: `
SELECT ${ROW}
FROM ${t.jobs} AS job
WHERE ${MATCHES}
  AND ($9::uuid IS NULL OR job.id < $9)
ORDER BY job.id DESC
LIMIT $10`,
  values: filterValues,
})

/** The ids that a filter means, oldest first, for statements that then change them in batches. */
export const findJobIds = (t: Tables): Statement<FindParams, { readonly id: string }> => ({
  name: 'find job ids',
  text: `
SELECT job.id
FROM ${t.jobs} AS job
WHERE ${MATCHES}
  AND ($9::uuid IS NULL OR job.id > $9)
ORDER BY job.id
LIMIT $10`,
  values: filterValues,
})

/** How many of the jobs that match there are, by queue and status. It reads what it counts: name the statuses to leave the history out. */
export const countJobs = (
  t: Tables,
): Statement<
  FindParams,
  { readonly queue_name: string; readonly status: string; readonly jobs: string }
> => ({
  name: 'count jobs',
  text: `
SELECT job.queue_name, job.status, count(*) AS jobs
FROM ${t.jobs} AS job
WHERE ${MATCHES}
GROUP BY job.queue_name, job.status
ORDER BY job.queue_name, job.status`,
  values: conditionValues,
})

/**
 * The longest due job of each queue, as its age. It steps over the claim indexes (those of jobs with a group, too) from one (queue, priority) to the next and
 * reads the first entry of each, so that a backlog of a million costs no more than one of ten.
 */
export const oldestDue = (
  t: Tables,
): Statement<
  { readonly queues: readonly string[] | null },
  { readonly queue_name: string; readonly oldest_due_ms: string }
> => ({
  name: 'measure the backlog',
  text: `
WITH RECURSIVE level AS (
  (SELECT job.queue_name, job.priority, job.scheduled_for
   FROM ${t.waiting} AS job
   WHERE job.group_key IS NULL
   ORDER BY job.queue_name, job.priority, job.scheduled_for, job.id
   LIMIT 1)
  UNION ALL
  SELECT next.queue_name, next.priority, next.scheduled_for
  FROM level
  CROSS JOIN LATERAL (
    SELECT job.queue_name, job.priority, job.scheduled_for
    FROM ${t.waiting} AS job
    WHERE job.group_key IS NULL AND (job.queue_name, job.priority) > (level.queue_name, level.priority)
    ORDER BY job.queue_name, job.priority, job.scheduled_for, job.id
    LIMIT 1
  ) AS next
),
grouped AS (
  (SELECT job.queue_name, job.scheduled_for
   FROM ${t.waiting} AS job
   WHERE job.group_key IS NOT NULL
   ORDER BY job.queue_name, job.scheduled_for
   LIMIT 1)
  UNION ALL
  SELECT next.queue_name, next.scheduled_for
  FROM grouped
  CROSS JOIN LATERAL (
    SELECT job.queue_name, job.scheduled_for
    FROM ${t.waiting} AS job
    WHERE job.group_key IS NOT NULL AND job.queue_name > grouped.queue_name
    ORDER BY job.queue_name, job.scheduled_for
    LIMIT 1
  ) AS next
)
SELECT level.queue_name, ${epochMs('clock_timestamp()')} - min(${epochMs('level.scheduled_for')}) AS oldest_due_ms
FROM (SELECT queue_name, scheduled_for FROM level UNION ALL SELECT queue_name, scheduled_for FROM grouped) AS level
WHERE level.scheduled_for <= clock_timestamp()
  AND ($1::text[] IS NULL OR level.queue_name = ANY ($1))
GROUP BY level.queue_name
ORDER BY level.queue_name`,
  values: ({ queues }) => [queues],
})

/** Of those that wait and of those that run, so many are counted; what is more is estimated. */
const COUNTED = 10_000

const countSome = (table: string): string =>
  `(SELECT count(*) FROM (SELECT FROM ${table} LIMIT ${COUNTED}) AS seen)`

/**
 * How many jobs there are in each state. The cumulative statistics know it without reading a table, but only well where rows stay:
 * connections report late and in no order, and a table whose deletes are told of before its inserts stands at 0 and then too high.
 */
export const jobSizes = (
  t: Tables,
): Statement<undefined, { readonly state: string; readonly jobs: string }> => ({
  name: 'estimate sizes',
  text: `
SELECT root.state,
       CASE WHEN root.counted < ${COUNTED} THEN root.counted ELSE greatest(root.counted, sum(pg_stat_get_live_tuples(leaf.relid))) END AS jobs
FROM (VALUES ('waiting', ${quoteLiteral(t.waiting)}::regclass, ${countSome(t.waiting)}),
             ('processing', ${quoteLiteral(t.processing)}::regclass, ${countSome(t.processing)}),
             ('completed', ${quoteLiteral(t.completed)}::regclass, NULL), ('dead', ${quoteLiteral(t.dead)}::regclass, NULL)) AS root (state, relation, counted)
CROSS JOIN LATERAL pg_partition_tree(root.relation) AS leaf
WHERE leaf.isleaf
GROUP BY root.state, root.counted`,
  values: () => [],
})
