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
 * Takes a unique key for a job: null when it has it, else the id of the live job that holds it. The row of the key is what
 * decides between callers at the same moment, so each look comes after it, in a statement of its own, which sees what
 * others have committed by then. A job that ends gives its key back (a trigger); one that was deleted by hand may
 * leave it behind, and it is taken over here.
 */
const takeKey = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.take_key(wanted_queue text, wanted_key text, taker uuid)
RETURNS uuid LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
DECLARE
  holder uuid;
BEGIN
  LOOP
    INSERT INTO ${t.uniqueKeys} AS held (queue_name, unique_key, job_id) VALUES (wanted_queue, wanted_key, taker)
    ON CONFLICT (queue_name, unique_key) DO NOTHING;
    IF FOUND THEN RETURN NULL; END IF;
    SELECT held.job_id INTO holder FROM ${t.uniqueKeys} AS held
    WHERE held.queue_name = wanted_queue AND held.unique_key = wanted_key;
    -- Not there any more: the job that held it has ended in between, so try again.
    CONTINUE WHEN NOT FOUND;
    IF holder <> taker AND (
      EXISTS (SELECT FROM ${t.waiting} AS job WHERE job.id = holder AND job.queue_name = wanted_queue AND job.unique_key = wanted_key)
      OR EXISTS (SELECT FROM ${t.processing} AS job WHERE job.id = holder AND job.queue_name = wanted_queue AND job.unique_key = wanted_key)
    ) THEN
      RETURN holder;
    END IF;
    -- Nobody lives who holds it. Whoever changes the row first has it; the others see that and look again.
    UPDATE ${t.uniqueKeys} AS held SET job_id = taker
    WHERE held.queue_name = wanted_queue AND held.unique_key = wanted_key AND held.job_id = holder;
    IF FOUND THEN RETURN NULL; END IF;
  END LOOP;
END`)};
`

/** The one way in. What enqueues, in any language, ends here, or in the short form of it below. */
const enqueueMany = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.enqueue_many(jobs jsonb, transaction_id text DEFAULT NULL)
RETURNS TABLE (id text, standing_id text) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_column
DECLARE
  instant  timestamptz := clock_timestamp();
  woken    text[];
  keyed    record;
  standing uuid;
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
      delay_ms float8, timeout_ms integer, backoff jsonb, metadata jsonb, unique_key text, group_key text, cost real)
    WHERE job.unique_key IS NULL
    RETURNING queue_name, scheduled_for
  )
  SELECT array_agg(queue_name) INTO woken
  FROM (SELECT queue_name FROM inserted WHERE scheduled_for <= instant GROUP BY queue_name) AS due;

  -- Jobs with a key, in the order of their keys: two callers that take the same keys in different orders would deadlock.
  IF jsonb_path_exists(jobs, '$[*].unique_key') THEN
    FOR keyed IN
      SELECT coalesce(job.id, ${t.schema}.uuidv7()) AS id, job.queue, coalesce(job.payload, 'null') AS payload,
             coalesce(job.priority, 0) AS priority, coalesce(job.max_attempts, 3) AS max_attempts,
             CASE WHEN job.delay_ms IS NULL THEN coalesce(job.scheduled_for, instant) ELSE instant + job.delay_ms * interval '1 ms' END AS scheduled_for,
             job.timeout_ms, job.backoff, job.metadata, job.unique_key, job.group_key, job.cost
      FROM ROWS FROM (jsonb_to_recordset(jobs) AS (
             id uuid, queue text, payload jsonb, priority smallint, max_attempts integer, scheduled_for timestamptz,
             delay_ms float8, timeout_ms integer, backoff jsonb, metadata jsonb, unique_key text, group_key text, cost real))
           WITH ORDINALITY AS job (id, queue, payload, priority, max_attempts, scheduled_for,
             delay_ms, timeout_ms, backoff, metadata, unique_key, group_key, cost, position)
      WHERE job.unique_key IS NOT NULL
      ORDER BY job.queue, job.unique_key, job.position
    LOOP
      standing := ${t.schema}.take_key(keyed.queue, keyed.unique_key, keyed.id);
      IF standing IS NULL THEN
        INSERT INTO ${t.waiting} (id, queue_name, payload, priority, max_attempts, scheduled_for, created_at, timeout_ms, backoff, metadata, unique_key, group_key, cost)
        VALUES (keyed.id, keyed.queue, keyed.payload, keyed.priority, keyed.max_attempts, keyed.scheduled_for, instant,
                keyed.timeout_ms, keyed.backoff, keyed.metadata, keyed.unique_key, keyed.group_key, keyed.cost);
        IF keyed.scheduled_for <= instant THEN woken := array_append(woken, keyed.queue); END IF;
      ELSE
        id := keyed.id::text;
        standing_id := standing::text;
        RETURN NEXT;
      END IF;
    END LOOP;
  END IF;

  IF woken IS NOT NULL THEN
    PERFORM ${t.schema}.wake(woken);
  END IF;
END`)};
COMMENT ON FUNCTION ${t.schema}.enqueue_many(jsonb, text) IS
  'Writes jobs given as a JSON array; returns one row for each that was deduplicated: its id, and the id of the job that stands.';
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
  group_key text DEFAULT NULL, cost real DEFAULT NULL)
RETURNS TABLE (id text, deduplicated boolean) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_variable
DECLARE
  job_id   uuid := ${t.schema}.uuidv7();
  standing text;
BEGIN
  IF queue_name IS NULL OR queue_name = '' THEN
    RAISE EXCEPTION 'a job needs the name of its queue' USING ERRCODE = '22023';
  END IF;
  IF scheduled_for IS NOT NULL AND delay IS NOT NULL THEN
    RAISE EXCEPTION 'scheduled_for and delay were both given: choose one' USING ERRCODE = '22023';
  END IF;
  SELECT written.standing_id INTO standing
  FROM ${t.schema}.enqueue_many(jsonb_build_array(jsonb_build_object(
    'id', job_id, 'queue', queue_name, 'payload', coalesce(payload, 'null'), 'priority', priority,
    'max_attempts', max_attempts, 'scheduled_for', coalesce(clock_timestamp() + delay, scheduled_for),
    'unique_key', unique_key, 'metadata', metadata, 'group_key', group_key, 'cost', cost))) AS written;
  id := coalesce(standing, job_id::text);
  deduplicated := standing IS NOT NULL;
  RETURN NEXT;
END`)};
COMMENT ON FUNCTION ${t.schema}.enqueue(text, jsonb, timestamptz, interval, integer, integer, text, jsonb, text, real) IS
  'Enqueues one job in the caller''s transaction; returns its id, or the id of the live job that has the same unique_key.';
`
