import { epochMs } from './columns.ts'
import { PARKED } from './parking.ts'
import { beginsAt, burstOf, type RatePrefix, savedUp, stepOf } from './rates.ts'
import type { Tables } from './statement.ts'

/** Counting those that go before a job ends here. */
const MOST_COUNTED = 1_000

/** So many of the jobs that hold a limit are named. */
const MOST_HOLDERS = 20

/**
 * Counts the due jobs that a claim would take before `job`, up to a limit, along one of the claim indexes. It steps from one
 * priority to the next, as the claim does: a million more urgent jobs that are not due yet are not walked.
 */
const countAhead = (t: Tables, group: string): string => `
      WITH RECURSIVE level (priority) AS (
        ( SELECT other.priority FROM ${t.waiting} AS other
          WHERE other.queue_name = job.queue_name AND ${group} AND other.priority < job.priority
          ORDER BY other.priority LIMIT 1 )
        UNION ALL
        SELECT ( SELECT other.priority FROM ${t.waiting} AS other
                 WHERE other.queue_name = job.queue_name AND ${group} AND other.priority > level.priority AND other.priority < job.priority
                 ORDER BY other.priority LIMIT 1 )
        FROM level WHERE level.priority IS NOT NULL
      )
      SELECT count(*) INTO ahead FROM (
        SELECT FROM (SELECT level.priority FROM level WHERE level.priority IS NOT NULL UNION ALL SELECT job.priority) AS one (priority)
        CROSS JOIN LATERAL (
          SELECT FROM ${t.waiting} AS other
          WHERE other.queue_name = job.queue_name AND ${group} AND other.priority = one.priority AND other.scheduled_for <= instant
            AND (other.priority < job.priority OR (other.scheduled_for, other.id) < (job.scheduled_for, job.id))
          ORDER BY other.scheduled_for, other.id
          LIMIT ${MOST_COUNTED + 1}
        ) AS due
        LIMIT ${MOST_COUNTED + 1}
      ) AS before`

/** The running jobs of the queue that count against a limit, the oldest ids first: few, and indexed. */
const holders = (t: Tables, whose: string): string => `
      SELECT coalesce(array_agg(other.id ORDER BY other.id), '{}') INTO held
      FROM ${t.processing} AS other
      WHERE other.queue_name = job.queue_name AND other.limited AND ${whose}`

/** When the job may begin under the rate of its queue or group, as a claim would have it; null where there is none. */
const mayBegin = (prefix: RatePrefix): string => {
  const [burst, step] = [burstOf('rule', prefix), stepOf('rule', prefix)]
  return beginsAt(savedUp('rate.available_at', burst, step), '0', burst, step)
}

/**
 * The body of `explain`: looks for the job by its id in one partition after another, and says what it finds. A waiting job gets
 * a row for everything in its way.
 */
export const explainText = (t: Tables): string => `
#variable_conflict use_column
DECLARE
  instant timestamptz := clock_timestamp();
  job     record;
  worker  record;
  rule    record;
  pace    record;
  cost    float8;
  whose   text;
  held    uuid[];
  alive   bigint;
  busy    bigint;
  ahead   bigint;
  clear   boolean := true;
  first_one uuid;
BEGIN
  SELECT found.* INTO job FROM ${t.waiting} AS found WHERE found.id = job_id LIMIT 1;
  IF FOUND THEN
    SELECT held.behind_id INTO first_one FROM ${t.uniqueKeys} AS held
    WHERE job.scheduled_for >= ${PARKED} AND held.queue_name = job.queue_name AND held.unique_key = job.unique_key AND held.job_id = job.id;
    IF first_one IS NOT NULL THEN
      clear := false;
      RETURN QUERY SELECT 'waits_behind', format('it waits until job %s, which has the same unique key, has ended', first_one), jsonb_build_object('jobId', first_one);
    ELSIF job.scheduled_for > instant AND job.status = 'failed' THEN
      clear := false;
      RETURN QUERY SELECT 'retry_later', format('attempt %s of %s failed (%s); the next is due at %s', job.attempts, job.max_attempts, job.error, job.scheduled_for),
        jsonb_build_object('until', ${epochMs('job.scheduled_for')}, 'attempts', job.attempts, 'maxAttempts', job.max_attempts, 'error', job.error);
    ELSIF job.scheduled_for > instant THEN
      clear := false;
      RETURN QUERY SELECT 'not_due', format('it is not due before %s', job.scheduled_for), jsonb_build_object('until', ${epochMs('job.scheduled_for')});
    END IF;

    SELECT queue.* INTO rule FROM ${t.queues} AS queue WHERE queue.name = job.queue_name;
    IF rule.paused_at IS NOT NULL THEN
      clear := false;
      RETURN QUERY SELECT 'queue_paused', format('queue %s is paused since %s%s', job.queue_name, rule.paused_at, ': ' || rule.paused_reason),
        jsonb_build_object('since', ${epochMs('rule.paused_at')}, 'reason', rule.paused_reason);
    END IF;

    cost := coalesce(job.cost, 1);
    FOR pace IN
      SELECT rate.group_key, rate.blocked_until, CASE WHEN rate.group_key = '' THEN ${mayBegin('rate_')} ELSE ${mayBegin('group_rate_')} END AS begins_at
      FROM ${t.rates} AS rate
      WHERE rate.queue_name = job.queue_name AND rate.group_key IN ('', job.group_key)
      ORDER BY rate.group_key
    LOOP
      whose := CASE WHEN pace.group_key = '' THEN format('queue %s', job.queue_name) ELSE format('group %s', pace.group_key) END;
      IF pace.blocked_until > instant THEN
        clear := false;
        RETURN QUERY SELECT 'held_back', format('a handler has held back %s until %s', whose, pace.blocked_until),
          jsonb_build_object('until', ${epochMs('pace.blocked_until')}, 'group', nullif(pace.group_key, ''));
      END IF;
      IF pace.begins_at > instant THEN
        clear := false;
        RETURN QUERY SELECT 'rate_limited', format('the rate of %s lets it begin at %s', whose, pace.begins_at),
          jsonb_build_object('until', ${epochMs('pace.begins_at')}, 'group', nullif(pace.group_key, ''));
      END IF;
    END LOOP;

    IF rule.concurrency_limit IS NOT NULL THEN
      ${holders(t, 'true')};
      IF cardinality(held) >= rule.concurrency_limit THEN
        clear := false;
        RETURN QUERY SELECT 'at_limit', format('queue %s is at its limit: %s of %s jobs are running', job.queue_name, cardinality(held), rule.concurrency_limit),
          jsonb_build_object('limit', rule.concurrency_limit, 'running', cardinality(held), 'group', NULL, 'heldBy', to_jsonb(held[1:${MOST_HOLDERS}]));
      END IF;
    END IF;
    IF rule.group_concurrency_limit IS NOT NULL AND job.group_key IS NOT NULL THEN
      ${holders(t, 'other.group_key = job.group_key')};
      IF cardinality(held) >= rule.group_concurrency_limit THEN
        clear := false;
        RETURN QUERY SELECT 'at_limit', format('group %s is at its limit: %s of %s jobs are running', job.group_key, cardinality(held), rule.group_concurrency_limit),
          jsonb_build_object('limit', rule.group_concurrency_limit, 'running', cardinality(held), 'group', job.group_key, 'heldBy', to_jsonb(held[1:${MOST_HOLDERS}]));
      END IF;
    END IF;

    SELECT count(*) INTO alive FROM ${t.workers} AS known
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

    IF job.group_key IS NULL THEN
      ${countAhead(t, 'other.group_key IS NULL')};
    ELSE
      ${countAhead(t, 'other.group_key = job.group_key')};
    END IF;
    IF ahead > 0 AND job.scheduled_for <= instant THEN
      clear := false;
      RETURN QUERY SELECT 'behind_others',
        format('%s jobs of its %s that are due go before it', CASE WHEN ahead > ${MOST_COUNTED} THEN 'more than ${MOST_COUNTED}' ELSE ahead::text END, CASE WHEN job.group_key IS NULL THEN 'queue' ELSE 'group' END),
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
