import { claimLimitedBody } from '../sql/claim-limited.ts'
import { rescaleRates } from '../sql/rates.ts'
import { quoteLiteral, type Tables } from '../sql/statement.ts'
import { HOT_ATTRIBUTES } from './0005-hot-statements.ts'
import { type Migration, functionBody } from './migration.ts'

/** Pause, groups, and limits that hold across processes. */
export const limits: Migration = {
  id: 7,
  name: 'limits',
  breaking: true,
  up: (t) =>
    [rates(t), claimLimited(t), pause(t), countRunning(t), whenChanged(t), rateChanged(t), holdBack(t)].join(
      '\n',
    ),
}

/** Only claims and feedback write here, so nobody who enqueues or settles waits for its rows. */
const rates = (t: Tables): string => `
CREATE TABLE ${t.rates} (
  queue_name    text        NOT NULL,
  group_key     text        COLLATE "C" NOT NULL,
  available_at  timestamptz,
  blocked_until timestamptz,
  PRIMARY KEY (queue_name, group_key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE ${t.rates} IS
  'How far queues (group_key is empty) and groups have used their rates: when the next job of cost 1 may begin, and until when a handler held them back.';
`

const claimLimited = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.claim_limited(worker_id uuid, wanted_queue text, wanted_slots integer, last_group text, floor_priority integer, floor_ms float8)
RETURNS TABLE (id uuid, queue_name text, payload jsonb, numbers text, timeout_ms integer, backoff jsonb, metadata jsonb)
${HOT_ATTRIBUTES} ROWS 100 AS ${functionBody(claimLimitedBody(t))};
COMMENT ON FUNCTION ${t.schema}.claim_limited(uuid, text, integer, text, integer, float8) IS
  'Claims from a queue that is paused, limited or has groups: for pgq itself.';
`

const pause = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.pause(queue_name text, reason text DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
BEGIN
  INSERT INTO ${t.queues} AS queue (name, paused_at, paused_reason) VALUES (queue_name, clock_timestamp(), reason)
  ON CONFLICT (name) DO UPDATE SET paused_at = excluded.paused_at, paused_reason = excluded.paused_reason
  WHERE queue.paused_at IS NULL;
  RETURN FOUND;
END`)};
COMMENT ON FUNCTION ${t.schema}.pause(text, text) IS
  'Pauses a queue for all workers: nothing of it is claimed until it is resumed. Running jobs go on. Says whether it was not paused before.';

CREATE FUNCTION ${t.schema}.resume(queue_name text)
RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
BEGIN
  UPDATE ${t.queues} AS queue SET paused_at = NULL, paused_reason = NULL
  WHERE queue.name = queue_name AND queue.paused_at IS NOT NULL;
  RETURN FOUND;
END`)};
COMMENT ON FUNCTION ${t.schema}.resume(text) IS 'Resumes a paused queue, and wakes idle workers. Says whether it was paused.';
`

/** Rows that somebody has locked are being settled, or changed by hand: they are passed over, so that nobody waits. */
const countRunning = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.count_running(wanted_queue text)
RETURNS SETOF uuid LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
  UPDATE ${t.processing} AS job SET limited = true
  WHERE job.ctid = ANY (ARRAY(
    SELECT running.ctid FROM ${t.processing} AS running
    WHERE running.queue_name = wanted_queue AND NOT running.limited
    FOR UPDATE SKIP LOCKED))
  RETURNING job.id`)};
COMMENT ON FUNCTION ${t.schema}.count_running(text) IS
  'Makes jobs that were claimed before their queue had limits count against them: for pgq itself.';
`

/** What people change by hand works like what the package does: idle workers look at once, and what runs is counted. */
const whenChanged = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.on_queue_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS ${functionBody(`
BEGIN
  IF num_nonnulls(NEW.concurrency_limit, NEW.group_concurrency_limit) > 0
     AND (TG_OP = 'INSERT' OR num_nonnulls(OLD.concurrency_limit, OLD.group_concurrency_limit) = 0) THEN
    PERFORM ${t.schema}.count_running(NEW.name);
  END IF;
  -- First those who have jobs of it in hand give them back, then they look again. After a resume there are none.
  IF TG_OP = 'INSERT' OR OLD.paused_at IS NULL OR NEW.paused_at IS NOT NULL THEN
    PERFORM pg_notify(${quoteLiteral(t.channel)}, 'hold:' || jsonb_build_array(NEW.name, NULL)::text);
  END IF;
  PERFORM ${t.schema}.wake(ARRAY[NEW.name]);
  RETURN NULL;
END`)};
CREATE TRIGGER pgq_queue_changed AFTER INSERT OR UPDATE ON ${t.queues}
  FOR EACH ROW EXECUTE FUNCTION ${t.schema}.on_queue_changed();
`

/**
 * At the commit of who has changed a rate, so that nobody waits for a transaction that stays open. The lock is that of the claims of
 * this queue: one that is under way still writes by the rate that it saw, and what it writes is rescaled here as well; if one
 * hangs, it is not waited for.
 */
const rateChanged = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.on_rate_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS ${functionBody(`
DECLARE
  instant  timestamptz;
  patience text := current_setting('lock_timeout');
BEGIN
  IF TG_OP = 'UPDATE' AND (OLD.rate_limit, OLD.rate_period_ms, OLD.rate_burst, OLD.group_rate_limit, OLD.group_rate_period_ms, OLD.group_rate_burst)
       IS NOT DISTINCT FROM (NEW.rate_limit, NEW.rate_period_ms, NEW.rate_burst, NEW.group_rate_limit, NEW.group_rate_period_ms, NEW.group_rate_burst) THEN
    RETURN NULL;
  END IF;
  BEGIN
    PERFORM set_config('lock_timeout', '2s', true);
    PERFORM pg_advisory_xact_lock(hashtextextended(jsonb_build_array('${t.channel}', NEW.name)::text, 0));
  EXCEPTION WHEN lock_not_available THEN
    NULL;
  END;
  PERFORM set_config('lock_timeout', patience, true);
  instant := clock_timestamp();
  ${rescaleRates(t, 'rate_', `rate.group_key = ''`)};
  ${rescaleRates(t, 'group_rate_', `rate.group_key <> ''`)};
  RETURN NULL;
END`)};
CREATE CONSTRAINT TRIGGER pgq_rate_changed AFTER INSERT OR UPDATE ON ${t.queues}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ${t.schema}.on_rate_changed();
`

const holdBack = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.hold_back(queue_name text, hold interval, group_key text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_column
BEGIN
  IF $2 > interval '0' THEN
    INSERT INTO ${t.rates} AS rate (queue_name, group_key, blocked_until)
    VALUES ($1, coalesce($3, ''), clock_timestamp() + $2)
    ON CONFLICT (queue_name, group_key) DO UPDATE
    SET blocked_until = greatest(rate.blocked_until, excluded.blocked_until);
    PERFORM pg_notify(${quoteLiteral(t.channel)}, 'hold:' || jsonb_build_array($1, $3)::text);
    RETURN;
  END IF;
  UPDATE ${t.rates} AS rate SET blocked_until = NULL
  WHERE rate.queue_name = $1 AND rate.group_key = coalesce($3, '') AND rate.blocked_until > clock_timestamp();
  IF FOUND THEN
    PERFORM ${t.schema}.wake(ARRAY[$1]);
  END IF;
END`)};
COMMENT ON FUNCTION ${t.schema}.hold_back(text, interval, text) IS
  'Claims nothing of a queue, or of one of its groups, for so long, as a handler does that was told to slow down; the longest of several holds counts. A hold of 0 lifts it.';
`
