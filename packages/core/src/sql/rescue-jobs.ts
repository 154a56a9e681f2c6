import { appendError, moveInto } from './columns.ts'
import { quoteLiteral, type Statement, type Tables } from './statement.ts'

export interface RescuedRow {
  readonly id: string
  readonly queue_name: string
  readonly status: string
}

const LOST = 'the worker that ran this attempt died or stalled'

/**
 * Takes the jobs of lost workers back: `failed` and due at once, or `dead` when their attempts are spent, which is how a
 * job that kills its process comes to an end. The fence rises, so the old holder can write nothing any more; rows that it
 * is settling at this moment are locked and skipped, and looked at again on the next pass.
 */
export const rescueJobs = (t: Tables): Statement<{ readonly limit: number }, RescuedRow> => ({
  name: 'rescue jobs',
  text: `
WITH orphaned AS MATERIALIZED (
  SELECT job.tid, job.spent
  FROM ${t.workers} AS worker
  CROSS JOIN LATERAL (
    SELECT live.ctid AS tid, live.attempts >= live.max_attempts AS spent
    FROM ${t.live} AS live
    WHERE live.status = 'processing' AND live.locked_by = worker.id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) AS job
  WHERE worker.lost_at IS NOT NULL
  LIMIT $1
),
revived AS (
  UPDATE ${t.live} AS job
  SET status = 'failed',
      scheduled_for = clock_timestamp(),
      fence = fence + 1,
      crashes = crashes + 1,
      locked_by = NULL,
      error = ${quoteLiteral(LOST)},
      errors = ${appendError(workerLostRecord())}
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM orphaned WHERE NOT spent))
  RETURNING job.id, job.queue_name, job.status
),
removed AS (
  DELETE FROM ${t.live} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM orphaned WHERE spent))
  RETURNING job.*
),
buried AS (
  ${moveInto(t.dead, 'removed', {
    status: `'dead'`,
    completed_at: 'clock_timestamp()',
    fence: 'fence + 1',
    crashes: 'crashes + 1',
    locked_by: 'NULL',
    error: quoteLiteral(LOST),
    errors: appendError(workerLostRecord()),
  })}
  RETURNING id, queue_name, status
)
SELECT id, queue_name, status FROM revived
UNION ALL
SELECT id, queue_name, status FROM buried`,
  values: ({ limit }) => [limit],
})

function workerLostRecord(): string {
  return `jsonb_build_object('name', 'WORKER_LOST', 'message', ${quoteLiteral(LOST)})`
}

/** The owner that processing jobs without any are given, so that they can be rescued like all others. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * Finds holders of claims that have no row among the workers (somebody deleted it, or set `processing` by hand), and
 * writes them down as lost, so that the rescue finds their jobs. Holders are read by a loose index scan.
 */
export const adoptOrphans = (t: Tables): Statement<void, { readonly id: string }> => ({
  name: 'adopt orphans',
  text: `
WITH RECURSIVE holder (id) AS (
  ( SELECT job.locked_by FROM ${t.live} AS job
    WHERE job.status = 'processing' AND job.locked_by IS NOT NULL ORDER BY job.locked_by LIMIT 1 )
  UNION ALL
  SELECT ( SELECT job.locked_by FROM ${t.live} AS job
           WHERE job.status = 'processing' AND job.locked_by > holder.id ORDER BY job.locked_by LIMIT 1 )
  FROM holder WHERE holder.id IS NOT NULL
),
unheld AS (
  UPDATE ${t.live} AS job
  SET locked_by = '${NOBODY}'
  WHERE job.status = 'processing' AND job.locked_by IS NULL
  RETURNING '${NOBODY}'::uuid AS id
)
INSERT INTO ${t.workers} (id, name, hostname, pid, queues, concurrency, lease_until, lost_at)
SELECT DISTINCT unknown.id, 'unknown', '', 0, '{}'::text[], 0, clock_timestamp(), clock_timestamp()
FROM (SELECT id FROM holder WHERE id IS NOT NULL UNION ALL SELECT id FROM unheld) AS unknown
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
