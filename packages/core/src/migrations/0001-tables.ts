import { type Tables, quoteLiteral } from '../sql/statement.ts'
import { type Migration, functionBody } from './migration.ts'

/** The jobs, who works on them, and the ids. */
export const tables: Migration = {
  id: 1,
  name: 'tables',
  breaking: true,
  up: (t) => [jobs(t), bookkeeping(t), uuidv7(t)].join('\n'),
}

/**
 * One logical table in partitions by status: the waiting jobs (large at times), the processing ones (few and hot), and two
 * cold ones for what has ended. Ids are unique within a partition by index; a unique index over all of them would have to
 * contain the partition keys and would therefore mean nothing.
 *
 * What has a fixed width and is never null comes first: every row is read with all its columns three times in its life,
 * and PostgreSQL knows where those are without walking the row.
 */
const jobs = (t: Tables): string => `
CREATE TABLE ${t.jobs} (
  id            uuid        NOT NULL,
  scheduled_for timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts      integer     NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 2000000000),
  max_attempts  integer     NOT NULL DEFAULT 3 CHECK (max_attempts >= 1),
  fence         integer     NOT NULL DEFAULT 0,
  crashes       integer     NOT NULL DEFAULT 0,
  priority      smallint    NOT NULL DEFAULT 0,
  limited       boolean     NOT NULL DEFAULT false,
  status        text        NOT NULL DEFAULT 'pending',
  queue_name    text        NOT NULL CHECK (queue_name <> ''),
  payload       jsonb       NOT NULL DEFAULT '{}',
  started_at    timestamptz,
  completed_at  timestamptz,
  locked_by     uuid,
  timeout_ms    integer     CHECK (timeout_ms >= 1),
  unique_key    text,
  group_key     text        COLLATE "C" CHECK (group_key <> ''),
  cost          real        CHECK (cost BETWEEN 0 AND 1000000),
  error         text,
  errors        jsonb,
  result        jsonb,
  progress      jsonb,
  backoff       jsonb,
  metadata      jsonb
) PARTITION BY LIST (status);

-- Rows come and go and are never updated in a hot path, so pages are filled. Vacuum comes early because rows live briefly.
CREATE TABLE ${t.waiting} PARTITION OF ${t.jobs}
  FOR VALUES IN ('pending', 'failed')
  WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 5000);

-- One job by its id, for people and programs.
CREATE UNIQUE INDEX jobs_waiting_id ON ${t.waiting} (id);
-- The claim walks this one in order: most urgent first, then the longest due.
CREATE INDEX jobs_waiting_claim ON ${t.waiting} (queue_name, priority, scheduled_for, id) WHERE group_key IS NULL;
-- Jobs with a group are in these two instead: in the order of each group, and by when they are due in any.
CREATE INDEX jobs_waiting_group ON ${t.waiting} (queue_name, group_key, priority, scheduled_for, id) WHERE group_key IS NOT NULL;
CREATE INDEX jobs_waiting_group_due ON ${t.waiting} (queue_name, scheduled_for, group_key) WHERE group_key IS NOT NULL;
CREATE INDEX jobs_waiting_unique_key ON ${t.waiting} (queue_name, unique_key) WHERE unique_key IS NOT NULL;

-- What workers have in hand: thousands of rows at most, whatever the backlog. Room on each page lets progress stay on it.
CREATE TABLE ${t.processing} PARTITION OF ${t.jobs}
  FOR VALUES IN ('processing')
  WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 5000);

-- Every settle finds its rows here, by (id, fence).
CREATE UNIQUE INDEX jobs_processing_id ON ${t.processing} (id);
-- What counts against a limit: these rows are the slots that are taken.
CREATE INDEX jobs_processing_limited ON ${t.processing} (queue_name, group_key) WHERE limited;

-- History by day, so that retention is DROP and never DELETE; what no day holds falls into the default.
CREATE TABLE ${t.completed} PARTITION OF ${t.jobs} FOR VALUES IN ('completed') PARTITION BY RANGE (completed_at);
CREATE INDEX jobs_completed_id ON ${t.completed} (id);
CREATE TABLE ${t.completedDefault} PARTITION OF ${t.completed} DEFAULT;

CREATE TABLE ${t.dead} PARTITION OF ${t.jobs} FOR VALUES IN ('dead', 'cancelled');
CREATE INDEX jobs_dead_id ON ${t.dead} (id);
CREATE INDEX jobs_dead_completed_at ON ${t.dead} (completed_at);
-- The dead and cancelled jobs of one queue, newest last.
CREATE INDEX jobs_dead_queue ON ${t.dead} (queue_name, status, id);

-- Which job holds a key. A row may outlive its job: whoever wants the key then takes it over.
CREATE TABLE ${t.uniqueKeys} (
  queue_name     text NOT NULL,
  unique_key     text NOT NULL,
  job_id         uuid NOT NULL,
  -- Until then the key is held even when its job has ended, if it ended as one of these.
  held_until     timestamptz,
  ended_statuses text[],
  -- The job that has to end before job_id, which waits, may be claimed.
  behind_id      uuid,
  PRIMARY KEY (queue_name, unique_key)
) WITH (fillfactor = 90);
CREATE INDEX unique_keys_held_until ON ${t.uniqueKeys} (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX unique_keys_behind ON ${t.uniqueKeys} (behind_id) WHERE behind_id IS NOT NULL;
`

/** Who works, who leads, and the table that pause and limits will use. */
const bookkeeping = (t: Tables): string => `
-- A worker is alive while it renews its lease. A lost one keeps its row for a while, so that nothing it still has
-- under way can look like the claim of a live worker.
CREATE TABLE ${t.workers} (
  id            uuid        PRIMARY KEY,
  name          text        NOT NULL,
  hostname      text        NOT NULL,
  pid           integer     NOT NULL,
  queues        text[]      NOT NULL,
  concurrency   integer     NOT NULL,
  listening     boolean     NOT NULL DEFAULT false,
  started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_until   timestamptz NOT NULL,
  suspect_since timestamptz,
  lost_at       timestamptz
) WITH (fillfactor = 50);

-- At most one row: who does the maintenance, and until when.
CREATE TABLE ${t.leader} (
  only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
  worker_id   uuid        NOT NULL,
  elected_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_until timestamptz NOT NULL
);

CREATE TABLE ${t.queues} (
  name                    text        PRIMARY KEY CHECK (name <> ''),
  paused_at               timestamptz,
  paused_reason           text,
  concurrency_limit       integer     CHECK (concurrency_limit >= 1),
  rate_limit              integer     CHECK (rate_limit >= 1),
  rate_period_ms          float8      CHECK (rate_period_ms >= 1),
  rate_burst              integer     CHECK (rate_burst >= 1),
  group_concurrency_limit integer     CHECK (group_concurrency_limit >= 1),
  group_rate_limit        integer     CHECK (group_rate_limit >= 1),
  group_rate_period_ms    float8      CHECK (group_rate_period_ms >= 1),
  group_rate_burst        integer     CHECK (group_rate_burst >= 1),
  declared_limits         jsonb,
  created_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((rate_limit IS NULL) = (rate_period_ms IS NULL)),
  CHECK ((group_rate_limit IS NULL) = (group_rate_period_ms IS NULL))
);
`

/**
 * Time-ordered ids (RFC 9562, version 7), so that inserts stay local in the index. PostgreSQL 18 has them built in;
 * before it, 48 bits of milliseconds replace the head of a random version 4 UUID and two bits change its version. All names are
 * qualified: whoever inserts by hand may have anything in the search path.
 */
const uuidv7 = (t: Tables): string => `
DO ${functionBody(`
BEGIN
  IF current_setting('server_version_num')::integer >= 180000 THEN
    EXECUTE ${quoteLiteral(`CREATE FUNCTION ${t.schema}.uuidv7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT pg_catalog.uuidv7()'`)};
  ELSE
    EXECUTE ${quoteLiteral(`CREATE FUNCTION ${t.schema}.uuidv7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $v7$
      SELECT pg_catalog.encode(
        pg_catalog.set_bit(
          pg_catalog.set_bit(
            overlay(pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
                    PLACING substring(pg_catalog.int8send(pg_catalog.floor(
                      extract(epoch FROM pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8) FROM 3)
                    FROM 1 FOR 6),
            52, 1),
          53, 1),
        'hex')::pg_catalog.uuid $v7$`)};
  END IF;
END`)};
ALTER TABLE ${t.jobs} ALTER COLUMN id SET DEFAULT ${t.schema}.uuidv7();
ALTER TABLE ${t.waiting} ALTER COLUMN id SET DEFAULT ${t.schema}.uuidv7();
`
