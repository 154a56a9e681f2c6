import { type Tables, quoteLiteral } from '../sql/statement.ts'
import { type Migration, functionBody } from './migration.ts'

/** The way in, as functions: the package, a trigger and another language all enqueue by the same statement. */
export const enqueueFunctions: Migration = {
  id: 2,
  name: 'enqueue',
  breaking: true,
  up: (t) => [wake(t), takeKey(t), enqueueMany(t), enqueueAlike(t), enqueue(t)].join('\n'),
}

/**
 * NOTIFY takes a lock that every notifying commit of the whole database queues for, so none is sent unless a worker
 * of that queue has said that it is idle and listens; and PostgreSQL folds equal ones of a transaction into one.
 */
const wake = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.wake(woken text[]) RETURNS void LANGUAGE sql VOLATILE AS ${functionBody(`
  SELECT pg_catalog.pg_notify(${quoteLiteral(t.channel)}, 'queue:' || queue_name)
  FROM unnest(woken) AS queue_name
  WHERE EXISTS (
    SELECT FROM ${t.workers} AS worker
    WHERE worker.listening AND worker.lost_at IS NULL AND queue_name = ANY (worker.queues)
  )`)};
`

/**
 * Takes a unique key for a job: null when it has it, else the id of the job that holds it. The row of the key is what
 * decides between callers at the same moment, so each look comes after it, in a statement of its own, which sees what
 * others have committed by then. A job that ends gives its key back (a trigger); one that was deleted by hand may
 * leave it behind, and it is taken over here, by whoever locks the row first. Who finds the key held locks nothing.
 */
const takeKey = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.live_status(wanted_id uuid, wanted_queue text, wanted_key text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS ${functionBody(`
  -- One statement, so one snapshot: a job on its way from one table to the other is in exactly one of them.
  SELECT job.status FROM ${t.waiting} AS job WHERE job.id = wanted_id AND job.queue_name = wanted_queue AND job.unique_key = wanted_key
  UNION ALL
  SELECT job.status FROM ${t.processing} AS job WHERE job.id = wanted_id AND job.queue_name = wanted_queue AND job.unique_key = wanted_key
  LIMIT 1`)};

CREATE FUNCTION ${t.schema}.take_key(wanted_queue text, wanted_key text, taker uuid)
RETURNS uuid LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
DECLARE
  held   record;
  locked boolean := false;
BEGIN
  LOOP
    INSERT INTO ${t.uniqueKeys} AS held (queue_name, unique_key, job_id) VALUES (wanted_queue, wanted_key, taker)
    ON CONFLICT (queue_name, unique_key) DO NOTHING;
    IF FOUND THEN RETURN NULL; END IF;
    SELECT known.job_id, known.behind_id, known.held_until > clock_timestamp() AS kept INTO held
    FROM ${t.uniqueKeys} AS known
    WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key;
    -- Not there any more: the job that held it has ended in between, so try again.
    CONTINUE WHEN NOT FOUND;
    IF held.job_id <> taker AND (held.kept OR ${t.schema}.live_status(held.job_id, wanted_queue, wanted_key) IS NOT NULL) THEN
      RETURN held.job_id;
    END IF;
    IF held.behind_id <> taker AND ${t.schema}.live_status(held.behind_id, wanted_queue, wanted_key) IS NOT NULL THEN
      RETURN held.behind_id;
    END IF;
    IF NOT locked THEN
      -- Nobody lives who holds it. Whoever locks the row first has it, and looks again: a dead holder may have come back.
      PERFORM FROM ${t.uniqueKeys} AS known
      WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key
      FOR UPDATE;
      locked := FOUND;
      CONTINUE;
    END IF;
    UPDATE ${t.uniqueKeys} AS known
    SET job_id = taker, behind_id = NULL,
        held_until = CASE WHEN known.job_id = taker THEN known.held_until END,
        ended_statuses = CASE WHEN known.job_id = taker THEN known.ended_statuses END
    WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key;
    RETURN NULL;
  END LOOP;
END`)};
`

/** The one way in. What enqueues, in any language, ends here, or in the short form of it below. */
const enqueueMany = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.enqueue_many(jobs jsonb, transaction_id text DEFAULT NULL)
RETURNS TABLE (id text, standing_id text, outcome text) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_column
DECLARE
  instant  timestamptz := clock_timestamp();
  woken    text[];
  keyed    record;
  taken    record;
BEGIN
  -- A caller that had to wait before it could send this says which transaction it was called in.
  IF transaction_id IS NOT NULL AND transaction_id <> pg_current_xact_id()::text THEN
    RAISE EXCEPTION 'the transaction that this enqueue was called in has already ended' USING ERRCODE = 'PQ001';
  END IF;

  WITH inserted AS (
    INSERT INTO ${t.waiting} (id, queue_name, payload, priority, max_attempts, scheduled_for, created_at, timeout_ms, backoff, metadata, group_key, cost)
    SELECT coalesce(job.id, ${t.schema}.uuidv7()), job.queue, coalesce(job.payload, 'null'), coalesce(job.priority, 0),
           coalesce(job.max_attempts, 3),
           CASE WHEN job.delay_ms IS NULL THEN coalesce(job.scheduled_for, instant) ELSE instant + job.delay_ms * interval '1 ms' END,
           instant, job.timeout_ms, job.backoff, job.metadata, job.group_key, job.cost
    FROM jsonb_to_recordset(jobs) AS job (
      id uuid, queue text, payload jsonb, priority smallint, max_attempts integer, scheduled_for timestamptz,
      delay_ms float8, timeout_ms integer, backoff jsonb, metadata jsonb, unique_key text, unique_fields jsonb, group_key text, cost real)
    WHERE job.unique_key IS NULL AND job.unique_fields IS NULL
    RETURNING queue_name, scheduled_for
  )
  SELECT array_agg(queue_name) INTO woken
  FROM (SELECT queue_name FROM inserted WHERE scheduled_for <= instant GROUP BY queue_name) AS due;

  -- Jobs with a key, in the order of their keys: two callers that take the same keys in different orders would deadlock.
  IF jsonb_path_exists(jobs, '$[*] ? (exists (@.unique_key) || exists (@.unique_fields))') THEN
    FOR keyed IN
      SELECT coalesce(job.id, ${t.schema}.uuidv7()) AS id, job.queue, coalesce(job.payload, 'null') AS payload,
             coalesce(job.priority, 0) AS priority, coalesce(job.max_attempts, 3) AS max_attempts,
             CASE WHEN job.delay_ms IS NULL THEN coalesce(job.scheduled_for, instant + coalesce((job.unique_rules ->> 'debounce_ms')::float8, 0) * interval '1 ms')
                  ELSE instant + job.delay_ms * interval '1 ms' END AS scheduled_for,
             job.timeout_ms, job.backoff, job.metadata, job.group_key, job.cost, job.unique_rules,
             coalesce(job.unique_key, ${t.schema}.unique_key(job.payload, ARRAY(SELECT jsonb_array_elements_text(job.unique_fields)))) AS unique_key
      FROM ROWS FROM (jsonb_to_recordset(jobs) AS (
             id uuid, queue text, payload jsonb, priority smallint, max_attempts integer, scheduled_for timestamptz,
             delay_ms float8, timeout_ms integer, backoff jsonb, metadata jsonb, group_key text, cost real, unique_key text, unique_fields jsonb, unique_rules jsonb))
           WITH ORDINALITY AS job (id, queue, payload, priority, max_attempts, scheduled_for,
             delay_ms, timeout_ms, backoff, metadata, group_key, cost, unique_key, unique_fields, unique_rules, position)
      WHERE job.unique_key IS NOT NULL OR job.unique_fields IS NOT NULL
      ORDER BY 2, 13, job.position
    LOOP
      IF keyed.unique_rules IS NULL THEN
        SELECT ${t.schema}.take_key(keyed.queue, keyed.unique_key, keyed.id) AS standing, 'skipped' AS outcome, false AS behind INTO taken;
      ELSE
        SELECT ruled.* INTO taken
        FROM ${t.schema}.take_key_by_rules(keyed.queue, keyed.unique_key, keyed.id, keyed.unique_rules,
          keyed.payload, keyed.scheduled_for, keyed.priority, keyed.metadata, keyed.group_key, keyed.cost) AS ruled;
      END IF;
      IF taken.standing IS NULL THEN
        INSERT INTO ${t.waiting} (id, queue_name, payload, priority, max_attempts, scheduled_for, created_at, timeout_ms, backoff, metadata, unique_key, group_key, cost)
        VALUES (keyed.id, keyed.queue, keyed.payload, keyed.priority, keyed.max_attempts,
                CASE WHEN taken.behind THEN ${t.schema}.parked_until(keyed.scheduled_for) ELSE keyed.scheduled_for END,
                instant, keyed.timeout_ms, keyed.backoff, keyed.metadata, keyed.unique_key, keyed.group_key, keyed.cost);
        IF keyed.scheduled_for <= instant AND NOT taken.behind THEN woken := array_append(woken, keyed.queue); END IF;
      ELSE
        IF taken.outcome = 'replaced' AND keyed.unique_rules ? 'replace' AND keyed.scheduled_for <= instant THEN woken := array_append(woken, keyed.queue); END IF;
        id := keyed.id::text;
        standing_id := taken.standing::text;
        outcome := taken.outcome;
        RETURN NEXT;
      END IF;
    END LOOP;
  END IF;

  IF woken IS NOT NULL THEN
    PERFORM ${t.schema}.wake(woken);
  END IF;
END`)};
COMMENT ON FUNCTION ${t.schema}.enqueue_many(jsonb, text) IS
  'Writes jobs given as a JSON array; returns one row for each that was deduplicated: its id, the id of the job that stands, and whether that was replaced or the new one skipped.';
`

/**
 * The short form, for jobs that differ in id and payload only and have no key: what they share is read once, which takes a
 * third off the cost of each. One array for each column that differs, so nothing is looked up by name.
 */
const enqueueAlike = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.enqueue_alike(shared jsonb, ids uuid[], payloads jsonb, transaction_id text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_column
DECLARE
  instant  timestamptz := clock_timestamp();
  due      timestamptz := coalesce(instant + (shared ->> 'delay_ms')::float8 * interval '1 ms', (shared ->> 'scheduled_for')::timestamptz, instant);
  queue    text        := shared ->> 'queue';
  rank     smallint    := coalesce((shared ->> 'priority')::smallint, 0);
  attempts integer     := coalesce((shared ->> 'max_attempts')::integer, 3);
  timeout  integer     := (shared ->> 'timeout_ms')::integer;
  pace     jsonb       := shared -> 'backoff';
  notes    jsonb       := shared -> 'metadata';
  tenant   text        := shared ->> 'group_key';
  price    real        := (shared ->> 'cost')::real;
BEGIN
  IF transaction_id IS NOT NULL AND transaction_id <> pg_current_xact_id()::text THEN
    RAISE EXCEPTION 'the transaction that this enqueue was called in has already ended' USING ERRCODE = 'PQ001';
  END IF;
  INSERT INTO ${t.waiting} (id, queue_name, payload, priority, max_attempts, scheduled_for, created_at, timeout_ms, backoff, metadata, group_key, cost)
  SELECT job.id, queue, job.payload, rank, attempts, due, instant, timeout, pace, notes, tenant, price
  FROM ROWS FROM (unnest(ids), jsonb_array_elements(payloads)) AS job (id, payload);
  IF due <= instant THEN
    PERFORM ${t.schema}.wake(ARRAY[queue]);
  END IF;
END`)};
COMMENT ON FUNCTION ${t.schema}.enqueue_alike(jsonb, uuid[], jsonb, text) IS
  'Writes jobs that differ in id and payload only, without unique keys: the fields they share, their ids, and a JSON array of their payloads.';
`

/** The same for one job, for people, triggers and other languages. */
const enqueue = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.enqueue(
  queue_name text, payload jsonb DEFAULT '{}', scheduled_for timestamptz DEFAULT NULL, delay interval DEFAULT NULL,
  priority integer DEFAULT 0, max_attempts integer DEFAULT 3, unique_key text DEFAULT NULL, metadata jsonb DEFAULT NULL,
  group_key text DEFAULT NULL, cost real DEFAULT NULL,
  unique_fields text[] DEFAULT NULL, unique_statuses text[] DEFAULT NULL, unique_period interval DEFAULT NULL,
  replace text[] DEFAULT NULL, debounce interval DEFAULT NULL, max_wait interval DEFAULT NULL, serial boolean DEFAULT NULL)
RETURNS TABLE (id text, deduplicated boolean, replaced boolean) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_variable
DECLARE
  job_id uuid := ${t.schema}.uuidv7();
  stands record;
BEGIN
  IF queue_name IS NULL OR queue_name = '' THEN
    RAISE EXCEPTION 'a job needs the name of its queue' USING ERRCODE = '22023';
  END IF;
  IF scheduled_for IS NOT NULL AND delay IS NOT NULL THEN
    RAISE EXCEPTION 'scheduled_for and delay were both given: choose one' USING ERRCODE = '22023';
  END IF;
  SELECT written.standing_id, written.outcome INTO stands
  FROM ${t.schema}.enqueue_many(jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
    'id', job_id, 'queue', queue_name, 'priority', priority, 'max_attempts', max_attempts,
    'scheduled_for', coalesce(clock_timestamp() + delay, scheduled_for), 'group_key', group_key, 'cost', cost,
    'unique_key', unique_key, 'unique_fields', to_jsonb(unique_fields),
    'unique_rules', ${t.schema}.unique_rules(unique_key IS NOT NULL OR unique_fields IS NOT NULL, unique_statuses, unique_period,
      replace, debounce, max_wait, serial)))
    || jsonb_build_object('payload', coalesce(payload, 'null'), 'metadata', metadata))) AS written;
  id := coalesce(stands.standing_id, job_id::text);
  deduplicated := stands.standing_id IS NOT NULL;
  replaced := coalesce(stands.outcome = 'replaced', false);
  RETURN NEXT;
END`)};
COMMENT ON FUNCTION ${t.schema}.enqueue IS
  'Enqueues one job in the caller''s transaction; returns its id, or the id of the job that has the same unique key.';
`
