import { epochMs } from './columns.ts'
import type { Tables } from './statement.ts'

/** Counting those that go before a job ends here. */
const MOST_COUNTED = 1_000

/**
 * The body of `explain`: looks for the job by its id in one partition after another, and says what it finds. A waiting job gets
 * a row for everything in its way. Who goes before it is counted along the claim index and up to a limit: two ranges of it,
 * the more urgent ones and those of the same priority that have been due longer, each from its start.
 */
export const explainText = (t: Tables): string => `
#variable_conflict use_column
DECLARE
  instant timestamptz := clock_timestamp();
  job     record;
  worker  record;
  paused  timestamptz;
  alive   bigint;
  slots   bigint;
  busy    bigint;
  ahead   bigint;
  clear   boolean := true;
BEGIN
  SELECT found.* INTO job FROM ${t.waiting} AS found WHERE found.id = job_id LIMIT 1;
  IF FOUND THEN
    IF job.scheduled_for > instant AND job.status = 'failed' THEN
      clear := false;
      RETURN QUERY SELECT 'retry_later', format('attempt %s of %s failed (%s); the next is due at %s', job.attempts, job.max_attempts, job.error, job.scheduled_for),
        jsonb_build_object('until', ${epochMs('job.scheduled_for')}, 'attempts', job.attempts, 'maxAttempts', job.max_attempts, 'error', job.error);
    ELSIF job.scheduled_for > instant THEN
      clear := false;
      RETURN QUERY SELECT 'not_due', format('it is not due before %s', job.scheduled_for), jsonb_build_object('until', ${epochMs('job.scheduled_for')});
    END IF;

    SELECT queue.paused_at INTO paused FROM ${t.queues} AS queue WHERE queue.name = job.queue_name;
    IF paused IS NOT NULL THEN
      clear := false;
      RETURN QUERY SELECT 'queue_paused', format('queue %s is paused since %s', job.queue_name, paused), jsonb_build_object('since', ${epochMs('paused')});
    END IF;

    SELECT count(*), sum(known.concurrency) INTO alive, slots FROM ${t.workers} AS known
    WHERE known.lost_at IS NULL AND known.lease_until >= instant AND job.queue_name = ANY (known.queues);
    IF alive = 0 THEN
      clear := false;
      RETURN QUERY
      SELECT CASE WHEN count(*) = 0 THEN 'no_worker' ELSE 'workers_late' END,
             CASE WHEN count(*) = 0 THEN format('no worker that is alive has a handler for queue %s', job.queue_name)
                  ELSE format('the workers with a handler for queue %s have not renewed their leases: %s', job.queue_name, string_agg(known.name, ', ')) END,
             CASE WHEN count(*) = 0 THEN '{}'::jsonb
                  ELSE jsonb_build_object('workers', jsonb_agg(jsonb_build_object('id', known.id, 'name', known.name, 'leaseUntil', ${epochMs('known.lease_until')}))) END
      FROM ${t.workers} AS known
      WHERE known.lost_at IS NULL AND job.queue_name = ANY (known.queues);
    END IF;

    SELECT count(*) INTO ahead FROM (
      SELECT FROM (
        SELECT other.id FROM ${t.waiting} AS other
        WHERE other.queue_name = job.queue_name AND other.priority < job.priority AND other.scheduled_for <= instant
        ORDER BY other.queue_name, other.priority, other.scheduled_for, other.id
        LIMIT ${MOST_COUNTED + 1}
      ) AS urgent
      UNION ALL
      SELECT FROM (
        SELECT other.id FROM ${t.waiting} AS other
        WHERE other.queue_name = job.queue_name AND other.priority = job.priority
          AND (other.scheduled_for, other.id) < (least(job.scheduled_for, instant), job.id)
        ORDER BY other.queue_name, other.priority, other.scheduled_for, other.id
        LIMIT ${MOST_COUNTED + 1}
      ) AS longer
    ) AS before;
    IF ahead > 0 AND job.scheduled_for <= instant THEN
      clear := false;
      RETURN QUERY SELECT 'behind_others',
        format('%s jobs of its queue that are due go before it', CASE WHEN ahead > ${MOST_COUNTED} THEN 'more than ${MOST_COUNTED}' ELSE ahead::text END),
        jsonb_build_object('jobs', least(ahead, ${MOST_COUNTED}), 'isMore', ahead > ${MOST_COUNTED});
    END IF;

    IF clear THEN
      SELECT count(*) INTO busy FROM ${t.processing} AS other WHERE other.queue_name = job.queue_name;
      RETURN QUERY SELECT 'next', format('nothing is in its way: %s workers have a handler for it, and %s jobs of its queue are running', alive, busy),
        jsonb_build_object('workers', alive, 'running', busy);
    END IF;
    RETURN;
  END IF;

  SELECT found.* INTO job FROM ${t.processing} AS found WHERE found.id = job_id LIMIT 1;
  IF FOUND THEN
    SELECT known.* INTO worker FROM ${t.workers} AS known WHERE known.id = job.locked_by;
    RETURN QUERY SELECT 'running', format('attempt %s runs since %s on worker %s', job.attempts, job.started_at, coalesce(worker.name, job.locked_by::text, 'unknown')),
      jsonb_build_object('since', ${epochMs('job.started_at')}, 'attempt', job.attempts, 'workerId', job.locked_by, 'workerName', worker.name,
        'workerState', CASE WHEN worker.id IS NULL THEN 'unknown' WHEN worker.lost_at IS NOT NULL THEN 'lost' WHEN worker.lease_until < instant THEN 'late' ELSE 'alive' END);
    RETURN;
  END IF;

  SELECT found.* INTO job FROM ${t.dead} AS found WHERE found.id = job_id LIMIT 1;
  IF FOUND THEN
    IF job.status = 'cancelled' THEN
      RETURN QUERY SELECT 'cancelled', format('it was cancelled at %s: %s', job.completed_at, job.error),
        jsonb_build_object('at', ${epochMs('job.completed_at')}, 'reason', job.error);
    ELSE
      RETURN QUERY SELECT 'dead', format('it is dead since %s, after %s attempts: %s', job.completed_at, job.attempts, job.error),
        jsonb_build_object('at', ${epochMs('job.completed_at')}, 'attempts', job.attempts, 'error', job.error, 'errors', coalesce(job.errors, '[]'));
    END IF;
    RETURN;
  END IF;

  SELECT found.* INTO job FROM ${t.completed} AS found WHERE found.id = job_id LIMIT 1;
  IF FOUND THEN
    RETURN QUERY SELECT 'completed', format('it was completed at %s', job.completed_at), jsonb_build_object('at', ${epochMs('job.completed_at')});
  END IF;
END`
