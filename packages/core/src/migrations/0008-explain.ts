import { explainText } from '../sql/explain-job.ts'
import type { Tables } from '../sql/statement.ts'
import { HOT_SETTINGS } from './0005-hot-statements.ts'
import { type Migration, functionBody } from './migration.ts'

/** What workers have in hand, and why a job stands where it does. */
export const explain: Migration = {
  id: 8,
  name: 'explain',
  breaking: false,
  up: (t) => [workerJobs(t), explainFunction(t)].join('\n'),
}

const workerJobs = (t: Tables): string => `
CREATE VIEW ${t.schema}.worker_jobs AS
SELECT worker.id AS worker_id, worker.name, worker.hostname, worker.pid, held.queue_name, held.jobs, held.oldest_started_at
FROM (SELECT job.locked_by, job.queue_name, count(*) AS jobs, min(job.started_at) AS oldest_started_at
      FROM ${t.processing} AS job
      GROUP BY job.locked_by, job.queue_name) AS held
JOIN ${t.workers} AS worker ON worker.id = held.locked_by;
COMMENT ON VIEW ${t.schema}.worker_jobs IS
  'How many jobs of which queues each worker has in hand: running, or claimed to be started within moments.';
`

/**
 * It must cost a few index probes whatever the backlog, so it is planned as the hot statements are. And in no other order than that of
 * the claim indexes: all the rows of a priority, read and sorted, look cheap to a planner that knows of few.
 */
const SETTINGS = [
  'search_path = pg_catalog, pg_temp',
  ...HOT_SETTINGS,
  'enable_bitmapscan = off',
  'enable_sort = off',
]

const explainFunction = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.explain(job_id uuid) RETURNS TABLE (code text, message text, details jsonb)
LANGUAGE plpgsql STABLE ${SETTINGS.map((setting) => `SET ${setting}`).join(' ')} AS ${functionBody(explainText(t))};
COMMENT ON FUNCTION ${t.schema}.explain(uuid) IS
  'Why a job does not run, or where it runs, or how it has ended: a row for each reason, none when there is no such job.';
`
