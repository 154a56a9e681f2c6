import { CANCELLED } from '../sql/control-jobs.ts'
import { quoteLiteral, type Tables } from '../sql/statement.ts'
import { type Migration, functionBody } from './migration.ts'

/** The triggers that make plain UPDATE and INSERT as safe as the API. */
export const handWrittenChanges: Migration = {
  id: 3,
  name: 'hand-written changes',
  breaking: true,
  up: (t) => triggers(t),
}

/** Wakes the workers of queues in which the statement of a trigger has written something due. */
const wakeForWritten = (t: Tables): string => `PERFORM ${t.schema}.wake(ARRAY(
    SELECT DISTINCT written.queue_name FROM written
    WHERE written.status IN ('pending', 'failed') AND written.scheduled_for <= pg_catalog.clock_timestamp()));`

/**
 * What people and scripts do by hand must be as safe as what the package does. Our own statements raise the fence
 * themselves and name the partitions, so they call none of this.
 */
const triggers = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.on_hand_written_status() RETURNS trigger LANGUAGE plpgsql AS ${functionBody(`
BEGIN
  IF OLD.status = 'completed' THEN
    RAISE EXCEPTION 'job % is completed and cannot become %', OLD.id, NEW.status
      USING ERRCODE = '23514', HINT = 'Leave completed jobs out with AND status <> ''completed'', or enqueue the job again.';
  END IF;
  -- Whoever holds the claim is fenced off: what it still writes will not be accepted.
  NEW.fence := OLD.fence + 1;
  IF NEW.status <> 'processing' THEN
    NEW.locked_by := NULL;
  END IF;
  IF OLD.status = 'processing' THEN
    -- Its worker looks at what became of the claim, and aborts the attempt.
    PERFORM pg_catalog.pg_notify(${quoteLiteral(t.channel)}, 'cancel:' || OLD.id);
  END IF;
  IF NEW.status IN ('completed', 'dead', 'cancelled') THEN
    IF NEW.completed_at IS NOT DISTINCT FROM OLD.completed_at THEN
      NEW.completed_at := pg_catalog.clock_timestamp();
    END IF;
    IF NEW.status = 'cancelled' AND NEW.error IS NOT DISTINCT FROM OLD.error THEN
      -- The error of an earlier attempt is no reason.
      NEW.error := ${quoteLiteral(CANCELLED)};
    END IF;
    RETURN NEW;
  END IF;
  NEW.completed_at := NULL;
  IF OLD.status IN ('completed', 'dead', 'cancelled') THEN
    -- Run again from the start, now unless a time was given with it.
    IF NEW.attempts = OLD.attempts THEN
      NEW.attempts := 0;
      NEW.crashes := 0;
      NEW.progress := NULL;
    END IF;
    IF NEW.scheduled_for = OLD.scheduled_for THEN
      NEW.scheduled_for := pg_catalog.clock_timestamp();
    END IF;
  ELSIF NEW.status IN ('pending', 'failed') AND NEW.attempts >= NEW.max_attempts THEN
    NEW.attempts := 0;
  END IF;
  RETURN NEW;
END`)};

CREATE TRIGGER pgq_hand_written_status BEFORE UPDATE ON ${t.jobs} FOR EACH ROW
  WHEN (NEW.status IS DISTINCT FROM OLD.status AND NEW.fence = OLD.fence)
  EXECUTE FUNCTION ${t.schema}.on_hand_written_status();

-- A key has one live job, whoever writes it.
CREATE FUNCTION ${t.schema}.demand_key(wanted_queue text, wanted_key text, taker uuid) RETURNS void LANGUAGE plpgsql AS ${functionBody(`
DECLARE
  holder uuid := ${t.schema}.take_key(wanted_queue, wanted_key, taker);
BEGIN
  IF holder IS NOT NULL THEN
    RAISE EXCEPTION 'job % cannot wait or run: job % holds the unique key % of queue %', taker, holder, wanted_key, wanted_queue
      USING ERRCODE = '23505', HINT = 'Leave it out, or give it another unique_key, or none.';
  END IF;
END`)};

CREATE FUNCTION ${t.schema}.on_hand_written_insert() RETURNS trigger LANGUAGE plpgsql AS ${functionBody(`
BEGIN
  PERFORM ${t.schema}.demand_key(job.queue_name, job.unique_key, job.id)
  FROM (SELECT * FROM written
        WHERE unique_key IS NOT NULL AND status IN ('pending', 'failed', 'processing')
        ORDER BY queue_name, unique_key, id) AS job;
  ${wakeForWritten(t)}
  RETURN NULL;
END`)};

-- Who had its key already, or gave it to another job since, keeps that as it is.
CREATE FUNCTION ${t.schema}.on_hand_written_update() RETURNS trigger LANGUAGE plpgsql AS ${functionBody(`
BEGIN
  PERFORM ${t.schema}.demand_key(job.queue_name, job.unique_key, job.id)
  FROM (SELECT * FROM written
        WHERE unique_key IS NOT NULL AND status IN ('pending', 'failed', 'processing')
          AND NOT EXISTS (
            SELECT FROM rewritten
            WHERE rewritten.id = written.id AND rewritten.queue_name = written.queue_name AND rewritten.unique_key = written.unique_key
              AND rewritten.status IN ('pending', 'failed', 'processing'))
        ORDER BY queue_name, unique_key, id) AS job;
  -- A key that was taken off a job is given back.
  PERFORM ${t.schema}.give_key_back(job.queue_name, job.unique_key, job.id, NULL)
  FROM (SELECT * FROM rewritten
        WHERE unique_key IS NOT NULL
          AND EXISTS (
            SELECT FROM written
            WHERE written.id = rewritten.id AND (written.queue_name, written.unique_key) IS DISTINCT FROM (rewritten.queue_name, rewritten.unique_key))
        ORDER BY queue_name, unique_key, id) AS job;
  ${wakeForWritten(t)}
  RETURN NULL;
END`)};

-- Statement triggers fire only for statements that name the parent table, as people's do.
CREATE TRIGGER pgq_hand_written_insert AFTER INSERT ON ${t.jobs}
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ${t.schema}.on_hand_written_insert();
CREATE TRIGGER pgq_hand_written_update AFTER UPDATE ON ${t.jobs}
  REFERENCING OLD TABLE AS rewritten NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ${t.schema}.on_hand_written_update();

-- A job that ends gives its key back, in whatever way it ends.
CREATE FUNCTION ${t.schema}.release_key() RETURNS trigger LANGUAGE plpgsql AS ${functionBody(`
BEGIN
  PERFORM ${t.schema}.give_key_back(NEW.queue_name, NEW.unique_key, NEW.id, NEW.status);
  RETURN NULL;
END`)};
CREATE TRIGGER pgq_release_key AFTER INSERT ON ${t.completed} FOR EACH ROW
  WHEN (NEW.unique_key IS NOT NULL) EXECUTE FUNCTION ${t.schema}.release_key();
CREATE TRIGGER pgq_release_key AFTER INSERT ON ${t.dead} FOR EACH ROW
  WHEN (NEW.unique_key IS NOT NULL) EXECUTE FUNCTION ${t.schema}.release_key();

CREATE FUNCTION ${t.schema}.on_hand_written_delete() RETURNS trigger LANGUAGE plpgsql AS ${functionBody(`
BEGIN
  PERFORM ${t.schema}.give_key_back(job.queue_name, job.unique_key, job.id, NULL)
  FROM (SELECT * FROM erased WHERE unique_key IS NOT NULL ORDER BY queue_name, unique_key, id) AS job;
  RETURN NULL;
END`)};
CREATE TRIGGER pgq_hand_written_delete AFTER DELETE ON ${t.jobs}
  REFERENCING OLD TABLE AS erased FOR EACH STATEMENT EXECUTE FUNCTION ${t.schema}.on_hand_written_delete();
`
