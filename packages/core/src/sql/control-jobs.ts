import { moveInto } from './columns.ts'
import { quoteLiteral, type Statement, type Tables } from './statement.ts'

/** Sorted by id, so that two callers lock in the same order. */
type Ids = readonly string[]
type IdRow = { readonly id: string }

/** What is noted of a job that was cancelled by somebody who did not say why. */
export const CANCELLED = 'cancelled on request'

/**
 * Locks jobs wherever they are and says how they stand. What is done to them next, in the same transaction, has a snapshot
 * that sees them so: a single statement that has waited for a row can lock its new version, but not see it. A job that
 * moved to another partition meanwhile is missing from the answer: ask again.
 */
export const lockJobs = (t: Tables): Statement<Ids, { readonly id: string; readonly status: string }> => ({
  name: 'lock jobs',
  text: `
SELECT job.id, job.status
FROM unnest($1::uuid[]) AS target (id)
CROSS JOIN LATERAL (
  SELECT * FROM (SELECT waiting.id, waiting.status FROM ${t.waiting} AS waiting WHERE waiting.id = target.id LIMIT 1 FOR UPDATE) AS waiting
  UNION ALL
  SELECT * FROM (SELECT running.id, running.status FROM ${t.processing} AS running WHERE running.id = target.id LIMIT 1 FOR UPDATE) AS running
  UNION ALL
  SELECT * FROM (SELECT dead.id, dead.status FROM ${t.dead} AS dead WHERE dead.id = target.id LIMIT 1 FOR UPDATE) AS dead
  UNION ALL
  SELECT * FROM (SELECT done.id, done.status FROM ${t.completed} AS done WHERE done.id = target.id LIMIT 1) AS done
) AS job`,
  values: (ids) => [ids],
})

/** A CTE with the rows of one partition that have the ids in $1, which are locked already, as `tid`. One index probe for each. */
const targetsIn = (name: string, table: string): string => `${name} AS MATERIALIZED (
  SELECT job.tid
  FROM unnest($1::uuid[]) AS target (id)
  CROSS JOIN LATERAL (
    SELECT job.ctid AS tid FROM ${table} AS job WHERE job.id = target.id LIMIT 1 FOR UPDATE
  ) AS job
)`

/**
 * Stops live jobs for good, waiting or running. The fence rises, so a running attempt can write nothing any more, and
 * the workers are told which ones to abort. The reason is the job's last error.
 */
export const cancelJobs = (t: Tables, reason: string = CANCELLED): Statement<Ids, IdRow> => ({
  name: 'cancel jobs',
  text: `
WITH ${targetsIn('waiting', t.waiting)},
${targetsIn('running', t.processing)},
stopped AS (
  DELETE FROM ${t.processing} AS job WHERE job.ctid = ANY (ARRAY(SELECT tid FROM running)) RETURNING job.*
),
removed AS (
  DELETE FROM ${t.waiting} AS job WHERE job.ctid = ANY (ARRAY(SELECT tid FROM waiting)) RETURNING job.*
),
told AS (
  SELECT pg_notify(${quoteLiteral(t.channel)}, 'cancel:' || id::text) FROM stopped
),
cancelled AS (
  ${moveInto(t.dead, '(SELECT * FROM stopped UNION ALL SELECT * FROM removed) AS job', {
    status: `'cancelled'`,
    fence: 'fence + 1',
    completed_at: 'clock_timestamp()',
    locked_by: 'NULL',
    error: '$2::text',
  })}
  RETURNING id
)
SELECT id FROM cancelled CROSS JOIN (SELECT count(*) FROM told) AS all_told`,
  values: (ids) => [ids, reason],
})

/** Makes waiting jobs due now. */
export const hastenJobs = (t: Tables): Statement<Ids, IdRow> => ({
  name: 'hasten jobs',
  text: `
WITH ${targetsIn('targets', t.waiting)},
hastened AS (
  UPDATE ${t.waiting} AS job
  SET scheduled_for = least(scheduled_for, clock_timestamp())
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM targets))
  RETURNING job.id, job.queue_name
),
woken AS (
  SELECT ${t.schema}.wake(array_agg(DISTINCT queue_name)) FROM hastened
)
SELECT id FROM hastened CROSS JOIN (SELECT count(*) FROM woken) AS all_woken`,
  values: (ids) => [ids],
})

/**
 * Moves dead and cancelled jobs back to wait, with all their attempts again. A job whose unique key another live job
 * holds by now stays where it is; of two with the same key, the older one goes. Keys are taken in their order, as
 * everybody does who takes several.
 */
export const redriveJobs = (t: Tables): Statement<Ids, IdRow> => ({
  name: 'redrive jobs',
  text: `
WITH targets AS MATERIALIZED (
  SELECT job.tid, job.id, job.queue_name, job.unique_key
  FROM unnest($1::uuid[]) AS target (id)
  CROSS JOIN LATERAL (
    SELECT dead.ctid AS tid, dead.id, dead.queue_name, dead.unique_key
    FROM ${t.dead} AS dead
    WHERE dead.id = target.id
    LIMIT 1
    FOR UPDATE
  ) AS job
  ORDER BY job.queue_name, job.unique_key, job.id
),
movable AS MATERIALIZED (
  SELECT target.tid
  FROM targets AS target
  WHERE CASE WHEN target.unique_key IS NULL THEN true
             WHEN EXISTS (SELECT FROM targets AS other
                          WHERE other.queue_name = target.queue_name AND other.unique_key = target.unique_key AND other.id < target.id) THEN false
             ELSE ${t.schema}.take_key(target.queue_name, target.unique_key, target.id) IS NULL END
),
removed AS (
  DELETE FROM ${t.dead} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM movable))
  RETURNING job.*
),
revived AS (
  ${moveInto(t.waiting, 'removed', {
    status: `'pending'`,
    attempts: '0',
    crashes: '0',
    fence: 'fence + 1',
    scheduled_for: 'clock_timestamp()',
    completed_at: 'NULL',
    progress: 'NULL',
  })}
  RETURNING id, queue_name
),
woken AS (
  SELECT ${t.schema}.wake(array_agg(DISTINCT queue_name)) FROM revived
)
SELECT id FROM revived CROSS JOIN (SELECT count(*) FROM woken) AS all_woken`,
  values: (ids) => [ids],
})

/** Deletes jobs that are not running, wherever they are. */
export const deleteJobs = (t: Tables): Statement<Ids, IdRow> => ({
  name: 'delete jobs',
  text: `
WITH ${targetsIn('targets', t.waiting)},
waiting AS (
  DELETE FROM ${t.waiting} AS job WHERE job.ctid = ANY (ARRAY(SELECT tid FROM targets)) RETURNING job.id, job.queue_name, job.unique_key
),
released AS (
  SELECT ${t.schema}.give_key_back(queue_name, unique_key, id, NULL)
  FROM (SELECT * FROM waiting WHERE unique_key IS NOT NULL ORDER BY queue_name, unique_key OFFSET 0) AS keyed
),
completed AS (
  DELETE FROM ${t.completed} AS job WHERE job.id = ANY ($1::uuid[]) RETURNING job.id
),
dead AS (
  DELETE FROM ${t.dead} AS job WHERE job.id = ANY ($1::uuid[]) RETURNING job.id
)
SELECT id FROM waiting CROSS JOIN (SELECT count(*) FROM released) AS all_released
UNION ALL SELECT id FROM completed
UNION ALL SELECT id FROM dead`,
  values: (ids) => [ids],
})
