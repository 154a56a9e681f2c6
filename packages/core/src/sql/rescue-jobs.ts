import { appendError, moveInto } from './columns.ts'
import { quoteLiteral, type Statement, type Tables } from './statement.ts'

export interface RescuedRow {
  readonly id: string
  readonly queue_name: string
  readonly status: string
}

const LOST = 'the worker that ran this attempt died or stalled'

/** What is written of a claim that is taken from its worker, whatever comes of the job. */
const LOST_CLAIM = {
  fence: 'fence + 1',
  crashes: 'crashes + 1',
  locked_by: 'NULL',
  error: quoteLiteral(LOST),
  errors: appendError(`jsonb_build_object('name', 'WORKER_LOST', 'message', ${quoteLiteral(LOST)})`),
}

/** An array and no join: it is made once, and what compares it with nothing else is looked at before the jobs are. */
const lostWorkers = (t: Tables): string =>
  `ARRAY(SELECT worker.id FROM ${t.workers} AS worker WHERE worker.lost_at IS NOT NULL)`

/**
 * Takes the jobs of lost workers back: `failed` and due at once, or `dead` when their attempts are spent, which is how a
 * job that kills its process comes to an end. The fence rises, so the old holder can write nothing any more; rows that it
 * is settling at this moment are locked and skipped, and looked at again on the next pass. What is processing at any moment
 * fits into a few pages, so it is read whole rather than indexed by worker at the cost of every claim. Where an old snapshot
 * keeps vacuum from its dead rows it is much more: it is read once, however many workers are lost, and not at all when none is.
 */
export const rescueJobs = (t: Tables): Statement<{ readonly limit: number }, RescuedRow> => ({
  name: 'rescue jobs',
  text: `
WITH orphaned AS MATERIALIZED (
  SELECT job.ctid AS tid
  FROM ${t.processing} AS job
  WHERE cardinality(${lostWorkers(t)}) > 0 AND job.locked_by = ANY (${lostWorkers(t)})
  LIMIT $1
  FOR UPDATE SKIP LOCKED
),
removed AS (
  DELETE FROM ${t.processing} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM orphaned))
  RETURNING job.*
),
revived AS (
  ${moveInto(t.waiting, 'removed', {
    status: `'failed'`,
    // A group keeps its order; elsewhere jobs that were never tried go first.
    scheduled_for: 'CASE WHEN group_key IS NULL THEN clock_timestamp() ELSE scheduled_for END',
    ...LOST_CLAIM,
  })}
  WHERE attempts < max_attempts
  RETURNING id, queue_name, status
),
buried AS (
  ${moveInto(t.dead, 'removed', {
    status: `'dead'`,
    completed_at: 'clock_timestamp()',
    ...LOST_CLAIM,
  })}
  WHERE attempts >= max_attempts
  RETURNING id, queue_name, status
)
SELECT id, queue_name, status FROM revived
UNION ALL
SELECT id, queue_name, status FROM buried`,
  values: ({ limit }) => [limit],
})

/** The owner that processing jobs without any are given, so that they can be rescued like all others. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * Finds holders of claims that have no row among the workers (somebody deleted it, or set `processing` by hand), and
 * writes them down as lost, so that the rescue finds their jobs.
 */
export const adoptOrphans = (t: Tables): Statement<void, { readonly id: string }> => ({
  name: 'adopt orphans',
  text: `
WITH unheld AS (
  UPDATE ${t.processing} AS job
  SET locked_by = '${NOBODY}'
  WHERE job.locked_by IS NULL
  RETURNING job.locked_by AS id
)
INSERT INTO ${t.workers} (id, name, hostname, pid, queues, concurrency, lease_until, lost_at)
SELECT DISTINCT unknown.id, 'unknown', '', 0, '{}'::text[], 0, clock_timestamp(), clock_timestamp()
FROM (SELECT locked_by AS id FROM ${t.processing} WHERE locked_by IS NOT NULL UNION ALL SELECT id FROM unheld) AS unknown
WHERE NOT EXISTS (SELECT FROM ${t.workers} AS worker WHERE worker.id = unknown.id)
ON CONFLICT (id) DO NOTHING
RETURNING id`,
  values: () => [],
})

/** Wakes the idle workers of some queues. */
export const wakeQueues = (t: Tables): Statement<readonly string[], never> => ({
  name: 'wake queues',
  text: `SELECT ${t.schema}.wake($1::text[])`,
  values: (queues) => [queues],
})
