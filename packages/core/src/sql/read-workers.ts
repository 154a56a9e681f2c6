import { epochMs } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

/** A worker, with what it has in hand. */
export interface WorkerRow {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly pid: string
  /** A JSON array. */
  readonly queues: string
  readonly concurrency: string
  readonly state: string
  readonly started_ms: string
  readonly heartbeat_ms: string
  readonly lease_ms: string
  /** A JSON array of `{queue, jobs, sinceMs}`. */
  readonly running: string
}

/**
 * The workers that have not been declared lost. What is processing fits into a few pages, so it is read once and counted: no worker
 * has to write down what it does.
 */
export const listWorkers = (t: Tables): Statement<void, WorkerRow> => ({
  name: 'list workers',
  text: `
SELECT worker.id, worker.name, worker.hostname, worker.pid, to_jsonb(worker.queues) AS queues, worker.concurrency,
       CASE WHEN worker.lease_until >= clock_timestamp() THEN 'alive' ELSE 'late' END AS state,
       ${epochMs('worker.started_at')} AS started_ms, ${epochMs('worker.heartbeat_at')} AS heartbeat_ms,
       ${epochMs('worker.lease_until')} AS lease_ms,
       coalesce(jsonb_agg(jsonb_build_object('queue', job.queue_name, 'jobs', job.jobs, 'sinceMs', ${epochMs('job.oldest_started_at')})
                          ORDER BY job.queue_name) FILTER (WHERE job.queue_name IS NOT NULL), '[]') AS running
FROM ${t.workers} AS worker
LEFT JOIN ${t.schema}.worker_jobs AS job ON job.worker_id = worker.id
WHERE worker.lost_at IS NULL
GROUP BY worker.id
ORDER BY worker.started_at, worker.id`,
  values: () => [],
})

/** Why a job stands where it does: the function does the thinking. */
export const explainJob = (
  t: Tables,
): Statement<
  { readonly id: string },
  { readonly code: string; readonly message: string; readonly details: string }
> => ({
  name: 'explain job',
  text: `SELECT code, message, details FROM ${t.schema}.explain($1::uuid)`,
  values: ({ id }) => [id],
})
