import { moveInto } from './columns.ts'
import { quoteLiteral, type Statement, type Tables } from './statement.ts'

/** Sorted by id, so that two callers lock in the same order. */
type Ids = readonly string[]
type IdRow = { readonly id: string }

const CANCELLED = 'cancelled on request'

/**
 * Locks jobs wherever they are and says how they stand. What is done to them next, in the same transaction, has a snapshot
 * that sees them so: a single statement that has waited for a row can lock its new version, but not see it.
 */
export const lockJobs = (t: Tables): Statement<Ids, { readonly id: string; readonly status: string }> => ({
  name: 'lock jobs',
  text: `
SELECT job.id, job.status
FROM unnest($1::uuid[]) AS target (id)
CROSS JOIN LATERAL (
  SELECT * FROM (SELECT live.id, live.status FROM ${t.live} AS live WHERE live.id = target.id LIMIT 1 FOR UPDATE) AS live
  UNION ALL
  SELECT * FROM (SELECT dead.id, dead.status FROM ${t.dead} AS dead WHERE dead.id = target.id LIMIT 1 FOR UPDATE) AS dead
  UNION ALL
  SELECT * FROM (SELECT done.id, done.status FROM ${t.completed} AS done WHERE done.id = target.id LIMIT 1) AS done
) AS job`,
  values: (ids) => [ids],
})

/**
 * A CTE `targets (tid)`: the live rows of the ids in $1 that have one of the statuses, locked in the order of the ids.
 * The status is compared after the probe of the id index (OFFSET 0 keeps it out of the probe), so that the partial
 * indexes stay out of it.
 */
const liveTargets = (t: Tables, statuses: string): string => `targets AS MATERIALIZED (
  SELECT job.tid
  FROM unnest($1::uuid[]) AS target (id)
  CROSS JOIN LATERAL (
    SELECT live.ctid AS tid, live.status
    FROM ${t.live} AS live
    WHERE live.id = target.id
    LIMIT 1
    FOR UPDATE
  ) AS job
  WHERE job.status IN (${statuses})
)`

/**
 * Stops live jobs for good, waiting or running. The fence rises, so a running attempt can write nothing any more, and
 * the workers are told which ones to abort.
 */
export const cancelJobs = (t: Tables): Statement<Ids, IdRow> => ({
  name: 'cancel jobs',
  text: `
WITH ${liveTargets(t, `'blocked', 'pending', 'processing', 'failed'`)},
removed AS (
  DELETE FROM ${t.live} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM targets))
  RETURNING job.*
),
told AS (
  SELECT pg_notify(${quoteLiteral(t.channel)}, 'cancel:' || id::text) FROM removed WHERE status = 'processing'
),
cancelled AS (
  ${moveInto(t.dead, 'removed', {
    status: `'cancelled'`,
    fence: 'fence + 1',
    completed_at: 'clock_timestamp()',
    locked_by: 'NULL',
    error: quoteLiteral(CANCELLED),
  })}
  RETURNING id
)
SELECT id FROM cancelled CROSS JOIN (SELECT count(*) FROM told) AS all_told`,
  values: (ids) => [ids],
})

/** Makes waiting jobs due now. */
export const hastenJobs = (t: Tables): Statement<Ids, IdRow> => ({
  name: 'hasten jobs',
  text: `
WITH ${liveTargets(t, `'pending', 'failed'`)},
hastened AS (
  UPDATE ${t.live} AS job
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
 * holds by now stays where it is; of two with the same key, the older one goes. OFFSET 0 keeps the look at the keys a
 * probe for each job: without it the planner may read all live rows into a hash table.
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
),
movable AS MATERIALIZED (
  SELECT target.tid
  FROM targets AS target
  WHERE target.unique_key IS NULL
     OR (NOT EXISTS (SELECT FROM ${t.live} AS live
                     WHERE live.queue_name = target.queue_name AND live.unique_key = target.unique_key
                     OFFSET 0)
         AND NOT EXISTS (SELECT FROM targets AS other
                         WHERE other.queue_name = target.queue_name AND other.unique_key = target.unique_key AND other.id < target.id))
),
removed AS (
  DELETE FROM ${t.dead} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM movable))
  RETURNING job.*
),
revived AS (
  ${moveInto(t.live, 'removed', {
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
WITH ${liveTargets(t, `'blocked', 'pending', 'failed'`)},
live AS (
  DELETE FROM ${t.live} AS job WHERE job.ctid = ANY (ARRAY(SELECT tid FROM targets)) RETURNING job.id
),
completed AS (
  DELETE FROM ${t.completed} AS job WHERE job.id = ANY ($1::uuid[]) RETURNING job.id
),
dead AS (
  DELETE FROM ${t.dead} AS job WHERE job.id = ANY ($1::uuid[]) RETURNING job.id
)
SELECT id FROM live UNION ALL SELECT id FROM completed UNION ALL SELECT id FROM dead`,
  values: (ids) => [ids],
})
