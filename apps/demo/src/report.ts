import type pg from 'pg'

/** How a run ended, counted in the tables. */
export interface Report {
  readonly enqueued: number
  readonly completed: number
  readonly dead: number
  /** Failed attempts that were followed by another one; rescues are not among them. */
  readonly retried: number
  /** Jobs that were taken back from a worker that was gone. */
  readonly rescued: number
  /** Committed webhooks with neither a posting nor a dead job. */
  readonly lost: number
  /** Postings beyond the first one of a webhook. */
  readonly duplicated: number
  readonly jobsPerSecond: number
  /** From the enqueue to the completion, in ms. */
  readonly p50: number
  readonly p99: number
}

/** `errors` holds a record of each attempt that failed; that of a rescue is called WORKER_LOST. */
const REPORT = `
SELECT count(*)::int AS enqueued,
       count(*) FILTER (WHERE status = 'completed')::int AS completed,
       count(*) FILTER (WHERE status = 'dead')::int AS dead,
       coalesce(sum(attempt.retried), 0)::int AS retried,
       count(*) FILTER (WHERE errors @> '[{"name": "WORKER_LOST"}]')::int AS rescued,
       (SELECT count(*)
        FROM pgq_demo_shop.webhooks AS webhook
        WHERE NOT EXISTS (SELECT FROM pgq_demo_shop.ledger_postings AS posting
                          WHERE posting.webhook_id = webhook.id)
          AND NOT EXISTS (SELECT FROM pgq_demo.jobs AS job
                          WHERE job.payload->>'webhookId' = webhook.id AND job.status = 'dead'))::int AS lost,
       (SELECT count(*) - count(DISTINCT webhook_id) FROM pgq_demo_shop.ledger_postings)::int AS duplicated,
       (count(*) / extract(epoch FROM max(completed_at) - min(created_at)))::float8 AS "jobsPerSecond",
       percentile_cont(0.50) WITHIN GROUP (ORDER BY took.ms) FILTER (WHERE status = 'completed') AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY took.ms) FILTER (WHERE status = 'completed') AS p99
FROM pgq_demo.jobs AS job
CROSS JOIN LATERAL (SELECT extract(epoch FROM job.completed_at - job.created_at)::float8 * 1000 AS ms) AS took
CROSS JOIN LATERAL (
  SELECT count(*) AS retried
  FROM jsonb_array_elements(job.errors) AS record
  WHERE record->>'name' <> 'WORKER_LOST' AND (record->>'attempt')::int < job.attempts
) AS attempt`

/** Counts what became of the webhooks. */
export async function readReport(pool: pg.Pool): Promise<Report> {
  const { rows } = await pool.query<Report>(REPORT)
  const [report] = rows
  if (!report) throw new Error('PostgreSQL returned no row for an aggregate')
  return report
}
