import { AHEAD, PARKED } from '../sql/parking.ts'
import type { Tables } from '../sql/statement.ts'
import { takeKeyByRulesBody } from '../sql/take-key-by-rules.ts'
import { deleteLeftKeysBody, releaseUnblockedBody } from '../sql/tend-keys.ts'
import { HOT_SETTINGS } from './0005-hot-statements.ts'
import { type Migration, functionBody } from './migration.ts'

/** Unique jobs in all their forms: keys from payloads, rules for conflicts, and jobs that wait behind one that runs. */
export const uniqueJobs: Migration = {
  id: 9,
  name: 'unique jobs',
  breaking: true,
  up: (t) =>
    [keyOfPayload(t), rules(t), parking(t), takeKeyByRules(t), giveKeyBack(t), behind(t), tend(t)].join('\n'),
}

const SETTINGS = 'SET search_path = pg_catalog, pg_temp'
/** Look-ups by id stay look-ups by id, also when the tables were all but empty at the time of the plan. */
const BY_INDEX = `${SETTINGS} SET enable_seqscan = off`
/** A walk along an index, and a look at the jobs of each key by their ids, whatever statistics say. */
const WALK = `LANGUAGE plpgsql VOLATILE ${SETTINGS} ${[...HOT_SETTINGS, 'enable_sort = off'].map((setting) => `SET ${setting}`).join(' ')}`

/**
 * The key that payload fields make: their names and values as JSON in one canonical form, so that equal values make equal keys
 * whatever the order of fields and however a number was written. It is computed here only, whoever enqueues. What is long
 * ends in a hash of the whole, and is then longer than anything that is not hashed.
 */
const keyOfPayload = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.canonical_json(value jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ${SETTINGS} AS ${functionBody(`
BEGIN
  RETURN CASE jsonb_typeof(value)
    WHEN 'number' THEN to_jsonb(trim_scale(value::numeric))
    WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(field.key, ${t.schema}.canonical_json(field.value)), '{}') FROM jsonb_each(value) AS field)
    WHEN 'array' THEN (SELECT coalesce(jsonb_agg(${t.schema}.canonical_json(item.value) ORDER BY item.position), '[]')
                       FROM jsonb_array_elements(value) WITH ORDINALITY AS item (value, position))
    ELSE value
  END;
END`)};

CREATE FUNCTION ${t.schema}.unique_key(payload jsonb, fields text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ${SETTINGS} AS ${functionBody(`
DECLARE
  picked jsonb;
  whole  text;
BEGIN
  IF fields = '{*}' THEN
    picked := coalesce(payload, 'null');
  ELSE
    SELECT jsonb_object_agg(field.name, field.value) INTO picked
    FROM (SELECT wanted AS name, payload #> string_to_array(wanted, '.') AS value FROM unnest(fields) AS wanted) AS field
    WHERE field.value IS NOT NULL;
    IF picked IS NULL THEN
      RAISE EXCEPTION 'the payload has none of the unique fields %', array_to_string(fields, ', ')
        USING ERRCODE = '22023', HINT = 'Name fields that are there, with dots between the names of a path, or {*} for the whole payload.';
    END IF;
  END IF;
  -- Only numbers that end in a zero behind the point have several forms.
  IF picked::text ~ '\\.[0-9]*0(?![0-9])' THEN
    picked := ${t.schema}.canonical_json(picked);
  END IF;
  whole := picked::text;
  IF length(whole) <= 180 THEN RETURN whole; END IF;
  RETURN left(whole, 120) || '...' || encode(sha256(convert_to(whole, 'UTF8')), 'hex');
END`)};
COMMENT ON FUNCTION ${t.schema}.unique_key(jsonb, text[]) IS
  'The unique key that fields of a payload make; {*} for all of it, dots between the names of a path.';
`

/** The rules of one enqueue as JSON, from the arguments of pgq.enqueue; null where the plain key says all. */
const rules = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.unique_rules(
  keyed boolean, statuses text[], period interval, replace text[], debounce interval, max_wait interval, serial boolean)
RETURNS jsonb LANGUAGE plpgsql STABLE ${SETTINGS} AS ${functionBody(`
DECLARE
  found jsonb := nullif(jsonb_strip_nulls(jsonb_build_object(
    'statuses', to_jsonb(statuses), 'period_ms', extract(epoch FROM period) * 1000, 'replace', to_jsonb(replace),
    'debounce_ms', extract(epoch FROM debounce) * 1000, 'max_wait_ms', extract(epoch FROM max_wait) * 1000, 'serial', serial)), '{}');
  wrong text := CASE
    WHEN found IS NOT NULL AND NOT keyed THEN 'a rule for unique jobs needs a unique_key or unique_fields'
    WHEN NOT statuses <@ '{pending,processing,failed,completed,dead,cancelled}' OR NOT '{pending}' <@ statuses
      THEN 'unique_statuses must be statuses of jobs, and pending one of them'
    WHEN statuses && '{completed,dead,cancelled}' AND period IS NULL THEN 'statuses of jobs that have ended hold a key for a unique_period: give one'
    WHEN period <= interval '0' THEN 'unique_period must be longer than nothing'
    WHEN NOT replace <@ '{payload,scheduled_for,priority}' OR replace = '{}' THEN 'replace must name some of payload, scheduled_for, priority'
    WHEN replace IS NOT NULL AND debounce IS NOT NULL THEN 'replace and debounce were both given: choose one'
    WHEN (debounce IS NULL) <> (max_wait IS NULL) THEN 'debounce and max_wait go together'
    WHEN debounce <= interval '0' OR max_wait < debounce THEN 'debounce must be longer than nothing, and max_wait no shorter than it'
    WHEN serial AND '{processing}' <@ statuses THEN 'serial jobs wait behind a processing one: leave processing out of unique_statuses'
  END;
BEGIN
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION '%', wrong USING ERRCODE = '22023';
  END IF;
  RETURN found;
END`)};
`

const parking = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.parked_until(due timestamptz) RETURNS timestamptz LANGUAGE sql VOLATILE ${SETTINGS} AS
  ${functionBody(`SELECT greatest(due, clock_timestamp()) + ${AHEAD}`)};

-- Whoever makes such a job due meanwhile changes the time that it gets back.
CREATE FUNCTION ${t.schema}.stay_behind() RETURNS trigger LANGUAGE plpgsql ${BY_INDEX} AS ${functionBody(`
BEGIN
  IF EXISTS (
    SELECT FROM ${t.uniqueKeys} AS held
    WHERE held.queue_name = NEW.queue_name AND held.unique_key = NEW.unique_key AND held.job_id = NEW.id
      AND ${t.schema}.live_status(held.behind_id, NEW.queue_name, NEW.unique_key) IS NOT NULL
  ) THEN
    NEW.scheduled_for := ${t.schema}.parked_until(NEW.scheduled_for);
  END IF;
  RETURN NEW;
END`)};
CREATE TRIGGER pgq_stay_behind BEFORE UPDATE ON ${t.waiting} FOR EACH ROW
  WHEN (OLD.scheduled_for >= ${PARKED} AND NEW.scheduled_for < ${PARKED} AND NEW.unique_key IS NOT NULL)
  EXECUTE FUNCTION ${t.schema}.stay_behind();
`

const takeKeyByRules = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.take_key_by_rules(
  wanted_queue text, wanted_key text, taker uuid, rules jsonb, new_payload jsonb, due timestamptz, rank integer, notes jsonb, tenant text, price real,
  OUT standing uuid, OUT outcome text, OUT behind boolean)
LANGUAGE plpgsql VOLATILE ${BY_INDEX} AS ${functionBody(takeKeyByRulesBody(t))};
`

/**
 * What happens to a key when a job ends or is deleted (`ending` is null then): the job that waits behind it is released, or the key is
 * given back. It waits for nobody, since a settle must not: a row that a transaction has locked is passed over. That transaction
 * looks itself when it commits (on_behind); a key that is left behind is taken over by the next who wants it.
 */
const giveKeyBack = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.release_behind(released_queue text, released_id uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE ${BY_INDEX} AS ${functionBody(`
DECLARE
  due timestamptz;
BEGIN
  UPDATE ${t.waiting} AS job SET scheduled_for = job.scheduled_for - ${AHEAD}
  WHERE job.ctid = ANY (ARRAY(
    SELECT waiting.ctid FROM ${t.waiting} AS waiting
    WHERE waiting.id = released_id AND waiting.scheduled_for >= ${PARKED}
    FOR NO KEY UPDATE SKIP LOCKED))
  RETURNING job.scheduled_for INTO due;
  IF due <= clock_timestamp() THEN
    PERFORM ${t.schema}.wake(ARRAY[released_queue]);
  END IF;
  RETURN NOT EXISTS (SELECT FROM ${t.waiting} AS waiting WHERE waiting.id = released_id AND waiting.scheduled_for >= ${PARKED});
END`)};

CREATE FUNCTION ${t.schema}.give_key_back(given_queue text, given_key text, giver uuid, ending text) RETURNS void LANGUAGE plpgsql VOLATILE ${BY_INDEX} AS ${functionBody(`
DECLARE
  held record;
BEGIN
  SELECT known.ctid AS spot, known.job_id, known.behind_id,
         known.held_until > clock_timestamp() AND ending = ANY (known.ended_statuses) AS kept INTO held
  FROM ${t.uniqueKeys} AS known
  WHERE known.queue_name = given_queue AND known.unique_key = given_key AND giver IN (known.job_id, known.behind_id)
  FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    -- Not there, or in somebody's hand: the job that waits behind this one may still be free.
    PERFORM ${t.schema}.release_behind(given_queue, known.job_id)
    FROM ${t.uniqueKeys} AS known
    WHERE known.queue_name = given_queue AND known.unique_key = given_key AND known.behind_id = giver;
    RETURN;
  END IF;
  IF held.behind_id = giver THEN
    IF ${t.schema}.release_behind(given_queue, held.job_id) THEN
      UPDATE ${t.uniqueKeys} SET behind_id = NULL WHERE ctid = held.spot;
    END IF;
  ELSIF ${t.schema}.live_status(held.behind_id, given_queue, given_key) IS NOT NULL THEN
    -- The one behind is gone, the one ahead is not.
    UPDATE ${t.uniqueKeys} SET job_id = held.behind_id, behind_id = NULL, held_until = NULL, ended_statuses = NULL WHERE ctid = held.spot;
  ELSIF NOT coalesce(held.kept, false) THEN
    DELETE FROM ${t.uniqueKeys} WHERE ctid = held.spot;
  END IF;
END`)};
`

/**
 * At the commit of who put a job behind another: was that ended meanwhile, by somebody who could not see the job yet? Its row is
 * locked for the moment that the commit takes. So either it ends after this, and who ends it sees what waits behind it; or it has
 * ended, and what waits is released here. A row that stays locked is left to release_unblocked.
 */
const behind = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.on_behind() RETURNS trigger LANGUAGE plpgsql ${BY_INDEX} SET lock_timeout = '500ms' AS ${functionBody(`
DECLARE
  place text;
BEGIN
  PERFORM FROM ${t.uniqueKeys} AS known
  WHERE known.queue_name = NEW.queue_name AND known.unique_key = NEW.unique_key AND known.job_id = NEW.job_id AND known.behind_id = NEW.behind_id;
  IF NOT FOUND THEN RETURN NULL; END IF;
  LOOP
    place := ${t.schema}.live_status(NEW.behind_id, NEW.queue_name, NEW.unique_key);
    EXIT WHEN place IS NULL;
    IF place = 'processing' THEN
      PERFORM FROM ${t.processing} AS job WHERE job.id = NEW.behind_id FOR KEY SHARE;
    ELSE
      PERFORM FROM ${t.waiting} AS job WHERE job.id = NEW.behind_id FOR KEY SHARE;
    END IF;
    IF FOUND THEN RETURN NULL; END IF;
  END LOOP;
  IF ${t.schema}.release_behind(NEW.queue_name, NEW.job_id) THEN
    UPDATE ${t.uniqueKeys} AS known SET behind_id = NULL
    WHERE known.queue_name = NEW.queue_name AND known.unique_key = NEW.unique_key;
  END IF;
  RETURN NULL;
EXCEPTION WHEN lock_not_available THEN
  RETURN NULL;
END`)};
CREATE CONSTRAINT TRIGGER pgq_on_behind AFTER INSERT OR UPDATE OF behind_id ON ${t.uniqueKeys}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.behind_id IS NOT NULL) EXECUTE FUNCTION ${t.schema}.on_behind();
`

/**
 * For the leader: what settles and deletes had to leave, because they wait for nobody. A key whose row somebody had locked when its job
 * ended, and a job that waits behind one that is gone.
 */
const tend = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.tend_key(tended_queue text, tended_key text) RETURNS text LANGUAGE plpgsql VOLATILE ${BY_INDEX} AS ${functionBody(`
DECLARE
  held ${t.uniqueKeys};
BEGIN
  -- The lock comes first: what is looked at after it cannot change any more.
  SELECT known.* INTO held FROM ${t.uniqueKeys} AS known
  WHERE known.queue_name = tended_queue AND known.unique_key = tended_key
  FOR UPDATE SKIP LOCKED;
  IF NOT FOUND OR ${t.schema}.live_status(held.behind_id, tended_queue, tended_key) IS NOT NULL THEN RETURN NULL; END IF;
  IF held.behind_id IS NOT NULL THEN
    IF NOT ${t.schema}.release_behind(tended_queue, held.job_id) THEN RETURN NULL; END IF;
    UPDATE ${t.uniqueKeys} AS known SET behind_id = NULL WHERE known.queue_name = tended_queue AND known.unique_key = tended_key;
    RETURN 'released';
  END IF;
  IF held.held_until > clock_timestamp() OR ${t.schema}.live_status(held.job_id, tended_queue, tended_key) IS NOT NULL THEN RETURN NULL; END IF;
  DELETE FROM ${t.uniqueKeys} AS known WHERE known.queue_name = tended_queue AND known.unique_key = tended_key;
  RETURN 'deleted';
END`)};

CREATE FUNCTION ${t.schema}.release_unblocked(after uuid, most integer, OUT freed integer, OUT last uuid) ${WALK} AS ${functionBody(releaseUnblockedBody(t))};
COMMENT ON FUNCTION ${t.schema}.release_unblocked(uuid, integer) IS
  'Looks at some jobs that wait behind others, and releases those that wait behind one that is no longer there: for pgq itself.';

CREATE FUNCTION ${t.schema}.delete_left_keys(after_queue text, after_key text, most integer, OUT deleted integer, OUT last_queue text, OUT last_key text)
${WALK} AS ${functionBody(deleteLeftKeysBody(t))};
COMMENT ON FUNCTION ${t.schema}.delete_left_keys(text, text, integer) IS
  'Looks at some unique keys, and deletes those that were left behind by jobs that are no longer there: for pgq itself.';
`
