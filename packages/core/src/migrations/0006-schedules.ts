import { quoteLiteral, type Tables } from '../sql/statement.ts'
import { type Migration, functionBody } from './migration.ts'

/** What enqueues jobs by the clock. */
export const schedules: Migration = {
  id: 6,
  name: 'schedules',
  breaking: false,
  up: (t) =>
    [
      tables(t),
      ruleTrigger(t),
      resumeTrigger(t),
      writeSchedule(t),
      syncSchedules(t),
      declareSchedules(t),
      runTicks(t),
      runSchedule(t),
    ].join('\n'),
}

const tables = (t: Tables): string => `
CREATE TABLE ${t.schedules} (
  name        text        PRIMARY KEY CHECK (name <> ''),
  queue_name  text        NOT NULL CHECK (queue_name <> ''),
  -- The rule: one of the three.
  cron        text,
  every_ms    bigint      CHECK (every_ms >= 1000),
  once_at     timestamptz,
  timezone    text        NOT NULL DEFAULT 'UTC',
  starts_at   timestamptz,
  ends_at     timestamptz,
  -- What becomes of ticks that nobody was there for: skip, once, or fill and how many.
  missed      text        NOT NULL DEFAULT 'once' CHECK (missed ~ '^(skip|once|fill [1-9][0-9]{0,3})$'),
  -- The jobs: what enqueue_many takes for each, beside its payload and its time.
  payload     jsonb       NOT NULL DEFAULT '{}',
  options     jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
  -- The next tick that has not been run. Null until a leader has worked it out, and when there is none any more (finished_at).
  next_at     timestamptz,
  last_at     timestamptz,
  last_job_id uuid,
  paused_at   timestamptz,
  -- When it last went on after a pause: what was to come before, it has missed, however short the pause was.
  resumed_at  timestamptz,
  finished_at timestamptz,
  -- Why the rule can't be followed; cleared when it changes.
  error       text,
  -- Declared in code: it ticks while a live worker declares it, and rests (retired_at) while none does.
  declared    boolean     NOT NULL DEFAULT false,
  retired_at  timestamptz,
  -- Since when the rule is as it is, and how often it has changed: a tick of an older rule is never run under a newer one.
  since       timestamptz NOT NULL DEFAULT clock_timestamp(),
  version     integer     NOT NULL DEFAULT 1,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (num_nonnulls(cron, every_ms, once_at) = 1)
) WITH (fillfactor = 70);
CREATE INDEX schedules_next_at ON ${t.schedules} (next_at NULLS FIRST)
  WHERE paused_at IS NULL AND retired_at IS NULL AND finished_at IS NULL AND error IS NULL;

-- What each worker declares; it counts while the worker lives.
CREATE TABLE ${t.scheduleDeclarations} (
  worker_id   uuid        PRIMARY KEY,
  schedules   jsonb       NOT NULL,
  declared_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
`

/** Whoever changes a rule, by hand too, makes it count from then on: a leader works out the next tick. */
const ruleTrigger = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.on_changed_rule() RETURNS trigger LANGUAGE plpgsql AS ${functionBody(`
DECLARE
  instant timestamptz := pg_catalog.clock_timestamp();
  pending timestamptz := coalesce(OLD.next_at, OLD.since);
BEGIN
  NEW.version := OLD.version + 1;
  -- A tick that is due at this moment is not lost if the new rule has it as well. What is older the new rule has nothing to do with.
  NEW.since := CASE WHEN OLD.finished_at IS NULL AND OLD.retired_at IS NULL AND OLD.paused_at IS NULL
                     AND pending BETWEEN instant - interval '1 min' AND instant THEN pending ELSE instant END;
  NEW.next_at := NULL;
  NEW.finished_at := NULL;
  NEW.error := NULL;
  RETURN NEW;
END`)};
CREATE TRIGGER pgq_changed_rule BEFORE UPDATE ON ${t.schedules} FOR EACH ROW
  WHEN ((OLD.cron, OLD.every_ms, OLD.once_at, OLD.timezone, OLD.starts_at, OLD.ends_at)
    IS DISTINCT FROM (NEW.cron, NEW.every_ms, NEW.once_at, NEW.timezone, NEW.starts_at, NEW.ends_at))
  EXECUTE FUNCTION ${t.schema}.on_changed_rule();
`

/** By hand too: `UPDATE … SET paused_at = NULL` is a resume. */
const resumeTrigger = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.on_resumed_schedule() RETURNS trigger LANGUAGE plpgsql AS ${functionBody(`
BEGIN
  NEW.resumed_at := pg_catalog.clock_timestamp();
  RETURN NEW;
END`)};
CREATE TRIGGER pgq_resumed_schedule BEFORE UPDATE ON ${t.schedules} FOR EACH ROW
  WHEN (OLD.paused_at IS NOT NULL AND NEW.paused_at IS NULL)
  EXECUTE FUNCTION ${t.schema}.on_resumed_schedule();
`

/** Writes nothing where nothing is different, so that a start of a hundred workers leaves no dead rows. */
const writeSchedule = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.write_schedule(definition jsonb, in_code boolean DEFAULT false)
RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
BEGIN
  INSERT INTO ${t.schedules} AS known
    (name, queue_name, cron, every_ms, once_at, timezone, starts_at, ends_at, missed, payload, options, declared)
  VALUES (definition ->> 'name', definition ->> 'queue', definition ->> 'cron', (definition ->> 'every_ms')::bigint,
          (definition ->> 'once_at')::timestamptz, coalesce(definition ->> 'timezone', 'UTC'),
          (definition ->> 'starts_at')::timestamptz, (definition ->> 'ends_at')::timestamptz, coalesce(definition ->> 'missed', 'once'),
          coalesce(definition -> 'payload', 'null'), coalesce(definition -> 'options', '{}'), in_code)
  ON CONFLICT (name) DO UPDATE
  SET queue_name = excluded.queue_name, cron = excluded.cron, every_ms = excluded.every_ms, once_at = excluded.once_at,
      timezone = excluded.timezone, starts_at = excluded.starts_at, ends_at = excluded.ends_at, missed = excluded.missed,
      payload = excluded.payload, options = excluded.options, declared = excluded.declared, retired_at = NULL
  WHERE (in_code OR NOT known.declared OR known.retired_at IS NOT NULL)
    AND (known.queue_name, known.cron, known.every_ms, known.once_at, known.timezone, known.starts_at, known.ends_at, known.missed,
         known.payload, known.options, known.declared, known.retired_at)
      IS DISTINCT FROM
        (excluded.queue_name, excluded.cron, excluded.every_ms, excluded.once_at, excluded.timezone, excluded.starts_at, excluded.ends_at,
         excluded.missed, excluded.payload, excluded.options, excluded.declared, NULL::timestamptz);
  RETURN in_code OR NOT EXISTS (
    SELECT FROM ${t.schedules} AS known WHERE known.name = definition ->> 'name' AND known.declared AND known.retired_at IS NULL);
END`)};
COMMENT ON FUNCTION ${t.schema}.write_schedule(jsonb, boolean) IS
  'Creates or changes a schedule; false when it is declared in code, and nothing was changed: for pgq itself.';
`

/**
 * Makes the schedules what the live workers declare. While two versions of a program run beside each other, the one that was started
 * last says how a schedule is, and what only the other one declares goes on as well, until no worker of it is left. A schedule that
 * nobody declares rests: should the workers of another program come back that declare it, it goes on where it was.
 */
const syncSchedules = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.sync_schedules() RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
DECLARE
  definition jsonb;
BEGIN
  DELETE FROM ${t.scheduleDeclarations} AS declaration
  WHERE NOT EXISTS (SELECT FROM ${t.workers} AS worker WHERE worker.id = declaration.worker_id);
  FOR definition IN
    SELECT DISTINCT ON (declared.one ->> 'name') declared.one
    FROM ${t.scheduleDeclarations} AS declaration
    JOIN ${t.workers} AS worker ON worker.id = declaration.worker_id AND worker.lost_at IS NULL
    CROSS JOIN LATERAL jsonb_array_elements(declaration.schedules) AS declared (one)
    ORDER BY declared.one ->> 'name', declaration.declared_at DESC, declaration.worker_id
  LOOP
    PERFORM ${t.schema}.write_schedule(definition, true);
  END LOOP;
  UPDATE ${t.schedules} AS known SET retired_at = clock_timestamp()
  WHERE known.declared AND known.retired_at IS NULL AND NOT EXISTS (
    SELECT FROM ${t.scheduleDeclarations} AS declaration
    JOIN ${t.workers} AS worker ON worker.id = declaration.worker_id AND worker.lost_at IS NULL
    WHERE declaration.schedules @> jsonb_build_array(jsonb_build_object('name', known.name)));
END`)};
COMMENT ON FUNCTION ${t.schema}.sync_schedules() IS 'Makes the schedules what the live workers declare: for pgq itself.';
`

const declareSchedules = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.declare_schedules(declaring uuid, definitions jsonb, since timestamptz DEFAULT NULL)
RETURNS text LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
DECLARE
  instant timestamptz := coalesce(since, clock_timestamp());
BEGIN
  INSERT INTO ${t.scheduleDeclarations} AS declaration (worker_id, schedules, declared_at) VALUES (declaring, definitions, instant)
  ON CONFLICT (worker_id) DO UPDATE SET schedules = excluded.schedules, declared_at = excluded.declared_at;
  PERFORM ${t.schema}.sync_schedules();
  RETURN to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
END`)};
COMMENT ON FUNCTION ${t.schema}.declare_schedules(uuid, jsonb, timestamptz) IS 'Says what a worker declares: for pgq itself.';
`

/**
 * Runs ticks: moves a schedule on and writes the jobs of the ticks that it leaves behind, in one transaction. Whoever finds the
 * schedule somewhere else than it was seen does nothing, so a tick is run once however many try; and one whose answer is lost is run or not,
 * which the next look shows.
 *
 * A unique key that somebody's open transaction holds is waited for very briefly: the other schedules wait meanwhile.
 */
const runTicks = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.run_ticks(plans jsonb)
RETURNS TABLE (schedule text, deduplicated text) LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS ${functionBody(`
#variable_conflict use_column
DECLARE
  plan  jsonb;
  moved ${t.schedules};
  jobs  jsonb := '[]';
BEGIN
  FOR plan IN SELECT one FROM jsonb_array_elements(plans) AS one ORDER BY one ->> 'name' LOOP
    SELECT known.* INTO moved FROM ${t.schedules} AS known
    WHERE known.name = plan ->> 'name'
      AND known.version = (plan ->> 'version')::integer
      AND (extract(epoch FROM known.next_at) * 1000000)::bigint IS NOT DISTINCT FROM (plan ->> 'seen_us')::bigint
      AND known.paused_at IS NULL AND known.retired_at IS NULL AND known.finished_at IS NULL AND known.error IS NULL
    FOR NO KEY UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    UPDATE ${t.schedules} AS known
    SET next_at = timestamptz 'epoch' + (plan ->> 'next_ms')::float8 * interval '1 ms',
        last_at = coalesce(timestamptz 'epoch' + (plan #>> '{ticks,-1,at_ms}')::float8 * interval '1 ms', known.last_at),
        last_job_id = coalesce((plan #>> '{ticks,-1,id}')::uuid, known.last_job_id),
        finished_at = CASE WHEN plan ->> 'next_ms' IS NULL AND plan ->> 'error' IS NULL THEN clock_timestamp() END,
        error = plan ->> 'error'
    WHERE known.name = moved.name;
    SELECT jobs || coalesce(jsonb_agg(
             moved.options || jsonb_build_object(
               'id', tick ->> 'id', 'queue', moved.queue_name, 'payload', moved.payload,
               'scheduled_for', timestamptz 'epoch' + (tick ->> 'at_ms')::float8 * interval '1 ms',
               'metadata', coalesce(moved.options -> 'metadata', '{}') || jsonb_build_object(
                 'schedule', jsonb_build_object('name', moved.name, 'tick', tick ->> 'at')))), '[]')
    INTO jobs FROM jsonb_array_elements(plan -> 'ticks') AS tick;
    schedule := moved.name;
    RETURN NEXT;
  END LOOP;
  IF jobs <> '[]' THEN
    RETURN QUERY SELECT NULL::text, written.id FROM ${t.schema}.enqueue_many(jobs) AS written;
  END IF;
END`)};
COMMENT ON FUNCTION ${t.schema}.run_ticks(jsonb) IS
  'Moves schedules on and enqueues the jobs of the ticks that they leave behind: for pgq itself.';
`

const runSchedule = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.run_schedule(name text)
RETURNS TABLE (id text, deduplicated boolean) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_variable
DECLARE
  known    ${t.schedules};
  job_id   uuid := ${t.schema}.uuidv7();
  standing text;
BEGIN
  SELECT schedule.* INTO known FROM ${t.schedules} AS schedule WHERE schedule.name = run_schedule.name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no schedule %', quote_literal(name) USING ERRCODE = 'PQ002';
  END IF;
  SELECT written.standing_id INTO standing
  FROM ${t.schema}.enqueue_many(jsonb_build_array(known.options || jsonb_build_object(
    'id', job_id, 'queue', known.queue_name, 'payload', known.payload,
    'metadata', coalesce(known.options -> 'metadata', '{}') || jsonb_build_object('schedule', jsonb_build_object(
      'name', known.name, 'tick', to_char(clock_timestamp() AT TIME ZONE 'UTC', ${quoteLiteral('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')}),
      'manual', true))))) AS written;
  id := coalesce(standing, job_id::text);
  deduplicated := standing IS NOT NULL;
  RETURN NEXT;
END`)};
COMMENT ON FUNCTION ${t.schema}.run_schedule(text) IS
  'Enqueues a job of a schedule now, beside its ticks; returns its id, or the id of the live job that has the same unique key.';
`
