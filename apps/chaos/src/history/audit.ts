import type pg from 'pg'
import type { AuditRecord, History, HoldState, JobState, QueueState, WorkerState } from './records.ts'

const jobState = (row: string): string => `jsonb_build_object(
    'queue', ${row}.queue_name, 'status', ${row}.status, 'fence', ${row}.fence, 'attempts', ${row}.attempts,
    'maxAttempts', ${row}.max_attempts, 'crashes', ${row}.crashes, 'priority', ${row}.priority, 'lockedBy', ${row}.locked_by,
    'uniqueKey', ${row}.unique_key, 'group', ${row}.group_key, 'cost', coalesce(${row}.cost, 1), 'createdAt', date_part('epoch', ${row}.created_at) * 1000,
    'schedule', ${row}.metadata #>> '{schedule,name}', 'tick', ${row}.metadata #>> '{schedule,tick}', 'scheduledFor', date_part('epoch', ${row}.scheduled_for) * 1000,
    'startedAt', date_part('epoch', ${row}.started_at) * 1000, 'error', ${row}.error,
    'progressFence', ${row}.progress -> 'fence', 'resultFence', ${row}.result -> 'by', 'resultTicket', ${row}.result ->> 'for', 'ticket', ${row}.payload ->> 'ticket')`

const workerState = (row: string): string => `jsonb_build_object(
    'name', ${row}.name, 'leaseUntil', date_part('epoch', ${row}.lease_until) * 1000, 'lostAt', date_part('epoch', ${row}.lost_at) * 1000)`

const queueState = (row: string): string =>
  `jsonb_build_object('queue', ${row}.name, 'isPaused', ${row}.paused_at IS NOT NULL)`

const holdState = (row: string): string => `jsonb_build_object(
    'queue', ${row}.queue_name, 'group', ${row}.group_key, 'until', date_part('epoch', ${row}.blocked_until) * 1000)`

/** What is written down of one table. */
interface Audited {
  readonly what: string
  readonly table: string
  readonly state: (row: string) => string
  /** The id of a row; others than jobs and workers get one that is made of their names. */
  readonly id?: (row: string) => string
  /** The only column whose changes matter. */
  readonly column?: string
}

const auditTrigger = ({ what, table, state, id = (row) => `${row}.id`, column }: Audited): string => `
CREATE FUNCTION chaos.on_${what}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  old_state jsonb;
  new_state jsonb;
BEGIN
  IF TG_OP <> 'INSERT' THEN old_state := ${state('OLD')}; END IF;
  IF TG_OP <> 'DELETE' THEN new_state := ${state('NEW')}; END IF;
  INSERT INTO chaos.audit (at, xid, what, id, old_state, new_state)
  VALUES (clock_timestamp(), pg_current_xact_id()::text, '${what}', CASE TG_OP WHEN 'DELETE' THEN ${id('OLD')} ELSE ${id('NEW')} END, old_state, new_state);
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_audit AFTER INSERT OR UPDATE${column === undefined ? '' : ` OF ${column}`} OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION chaos.on_${what}();`

/**
 * Has the database write down every change of a job and of a worker, in the transaction that makes it: what rolls back leaves
 * no trace, and what commits leaves one whoever did it. The triggers hang on the logical table, so each partition
 * has them; a job that moves between partitions is a DELETE and an INSERT in one transaction.
 */
const INSTALL = `
CREATE SCHEMA chaos;
CREATE TABLE chaos.audit (
  n         bigint GENERATED ALWAYS AS IDENTITY,
  at        timestamptz NOT NULL,
  xid       text        NOT NULL,
  what      text        NOT NULL,
  id        uuid        NOT NULL,
  old_state jsonb,
  new_state jsonb
);
CREATE TABLE chaos.effects (job uuid NOT NULL, fence integer NOT NULL);
CREATE TABLE chaos.loose_effects (job uuid NOT NULL, fence integer NOT NULL);
CREATE TABLE chaos.orders (ticket text NOT NULL);
${auditTrigger({ what: 'job', table: 'pgq.jobs', state: jobState })}
${auditTrigger({ what: 'worker', table: 'pgq.workers', state: workerState })}
${auditTrigger({
  what: 'queue',
  table: 'pgq.queues',
  state: queueState,
  id: (row) => `md5(${row}.name)::uuid`,
  column: 'paused_at',
})}
${auditTrigger({
  what: 'hold',
  table: 'pgq.rates',
  state: holdState,
  id: (row) => `md5(jsonb_build_array(${row}.queue_name, ${row}.group_key)::text)::uuid`,
  column: 'blocked_until',
})}
`

/** Installs the triggers and the tables of the harness beside a migrated queue. */
export async function installAudit(client: pg.Client): Promise<void> {
  await client.query(INSTALL)
}

interface Row {
  readonly n: string
  readonly at: number
  readonly xid: string
  readonly id: string
  readonly from: unknown
  readonly to: unknown
}

/** Reads what the triggers wrote. */
export async function readAudit(
  client: pg.Client,
): Promise<Pick<History, 'jobs' | 'workers' | 'queues' | 'holds'>> {
  const read = async <State>(what: string): Promise<AuditRecord<State>[]> => {
    const { rows } = await client.query<Row>(
      `SELECT n::text, date_part('epoch', at) * 1000 AS at, xid, id, old_state AS "from", new_state AS "to"
       FROM chaos.audit WHERE what = $1 ORDER BY audit.n`,
      [what],
    )
    return rows.map((row) => ({
      ...row,
      n: Number(row.n),
      from: row.from as State | null,
      to: row.to as State | null,
    }))
  }
  return {
    jobs: await read<JobState>('job'),
    workers: await read<WorkerState>('worker'),
    queues: await read<QueueState>('queue'),
    holds: await read<HoldState>('hold'),
  }
}
