import { epochMs } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

/** A queue, with what it holds. */
export interface QueueRow {
  readonly name: string
  readonly paused_ms: string | null
  readonly paused_reason: string | null
  readonly due: string
  readonly delayed: string
  readonly failed: string
  readonly processing: string
  readonly dead: string
  readonly oldest_due_ms: string | null
  readonly workers: string
}

/**
 * Every queue that has live or dead jobs, a live worker, or a row of its own. It reads each live and dead job once, and nothing
 * of the completed ones.
 */
export const summarizeQueues = (t: Tables): Statement<void, QueueRow> => ({
  name: 'summarize the queues',
  text: `
WITH waiting AS (
  SELECT job.queue_name AS name,
         count(*) FILTER (WHERE job.status = 'pending' AND job.scheduled_for <= now()) AS due,
         count(*) FILTER (WHERE job.status = 'pending' AND job.scheduled_for > now()) AS delayed,
         count(*) FILTER (WHERE job.status = 'failed') AS failed,
         min(job.scheduled_for) AS oldest
  FROM ${t.waiting} AS job
  GROUP BY job.queue_name
), running AS (
  SELECT job.queue_name AS name, count(*) AS jobs FROM ${t.processing} AS job GROUP BY job.queue_name
), buried AS (
  SELECT job.queue_name AS name, count(*) AS jobs FROM ${t.dead} AS job WHERE job.status = 'dead' GROUP BY job.queue_name
), hands AS (
  SELECT handled.name, count(*) AS workers
  FROM ${t.workers} AS worker
  CROSS JOIN LATERAL unnest(worker.queues) AS handled (name)
  WHERE worker.lost_at IS NULL AND worker.lease_until >= clock_timestamp()
  GROUP BY handled.name
), known AS (
  SELECT name FROM ${t.queues}
  UNION SELECT name FROM waiting
  UNION SELECT name FROM running
  UNION SELECT name FROM buried
  UNION SELECT name FROM hands
)
SELECT known.name, ${epochMs('queue.paused_at')} AS paused_ms, queue.paused_reason,
       coalesce(waiting.due, 0) AS due, coalesce(waiting.delayed, 0) AS delayed, coalesce(waiting.failed, 0) AS failed,
       coalesce(running.jobs, 0) AS processing, coalesce(buried.jobs, 0) AS dead,
       CASE WHEN waiting.oldest <= now() THEN ${epochMs('(now() - waiting.oldest)')} END AS oldest_due_ms,
       coalesce(hands.workers, 0) AS workers
FROM known
LEFT JOIN ${t.queues} AS queue USING (name)
LEFT JOIN waiting USING (name)
LEFT JOIN running USING (name)
LEFT JOIN buried USING (name)
LEFT JOIN hands USING (name)
ORDER BY known.name`,
  values: () => [],
})
