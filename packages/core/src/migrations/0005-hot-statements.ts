import { claimText } from '../sql/claim-jobs.ts'
import { carefulQueues } from '../sql/careful-queues.ts'
import { settleCompletedText } from '../sql/settle-completed.ts'
import { settleEndedText } from '../sql/settle-ended.ts'
import { settleWaitingText } from '../sql/settle-waiting.ts'
import { claimsLock, type Tables } from '../sql/statement.ts'
import { type Migration, functionBody } from './migration.ts'

/** The statements that every job passes through, as functions. */
export const hotStatements: Migration = {
  id: 5,
  name: 'hot statements',
  breaking: true,
  up: (t) => [claimJobs(t), settleCompleted(t), settleEnded(t), settleWaiting(t)].join('\n'),
}

/**
 * What the planner may do in them. A function keeps its plan, whatever pooler is in between; the shape is fixed by how the
 * statements are written, so one plan for all parameters is as good as one made for these. It may have been made when the table
 * was all but empty, and a scan, or a sort of all that an index finds, looked cheap: so neither is allowed. JIT compiling takes longer than a thousand runs.
 */
export const HOT_SETTINGS = [
  'plan_cache_mode = force_generic_plan',
  'enable_seqscan = off',
  'enable_bitmapscan = off',
  'jit = off',
]

/** How the functions of the hot path are declared. */
export const HOT_ATTRIBUTES = `LANGUAGE plpgsql VOLATILE ${['search_path = pg_catalog, pg_temp', ...HOT_SETTINGS].map((setting) => `SET ${setting}`).join(' ')}`

/** A claim needs no durability: one that a crash undoes is a job that is still waiting. So its commit waits for no disk. */
const claimJobs = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.claim_jobs(worker_id uuid, queues text[], slots integer[], floor_priorities integer[], floors_ms float8[], last_groups text[] DEFAULT NULL)
RETURNS TABLE (id uuid, queue_name text, payload jsonb, numbers text, timeout_ms integer, backoff jsonb, metadata jsonb)
${HOT_ATTRIBUTES} ROWS 500 AS ${functionBody(`
#variable_conflict use_column
DECLARE
  careful text[];
  want    record;
BEGIN
  -- Who pauses a queue waits until the claims under way are done: they are told by this lock, which nobody waits for.
  PERFORM set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock_shared(${claimsLock(t)});
  careful := ARRAY(${carefulQueues(t)});
  IF careful <> '{}' THEN
    FOR want IN
      SELECT * FROM unnest(queues, slots, last_groups, floor_priorities, floors_ms) AS want (queue, slots, last_group, floor_priority, floor_ms)
      WHERE want.queue = ANY (careful) ORDER BY want.queue
    LOOP
      RETURN QUERY SELECT * FROM ${t.schema}.claim_limited(worker_id, want.queue, want.slots, want.last_group, want.floor_priority, want.floor_ms);
    END LOOP;
    SELECT array_agg(want.queue), array_agg(want.slots), array_agg(want.priority), array_agg(want.floor_ms)
    INTO queues, slots, floor_priorities, floors_ms
    FROM unnest(queues, slots, floor_priorities, floors_ms) AS want (queue, slots, priority, floor_ms)
    WHERE want.queue <> ALL (careful);
    IF queues IS NULL THEN RETURN; END IF;
  END IF;
  RETURN QUERY ${claimText(t)};
END`)};
COMMENT ON FUNCTION ${t.schema}.claim_jobs(uuid, text[], integer[], integer[], float8[], text[]) IS
  'Moves due jobs to processing in the name of a worker: for pgq itself.';
`

const settleCompleted = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.settle_completed(ids uuid[], fences integer[], worker_ids uuid[], results jsonb, problems jsonb)
RETURNS uuid[] ${HOT_ATTRIBUTES} AS ${functionBody(`
#variable_conflict use_column
DECLARE
  accepted uuid[];
BEGIN
  ${settleCompletedText(t).replace('AS accepted FROM moved', 'INTO accepted FROM moved')};
  RETURN accepted;
END`)};
COMMENT ON FUNCTION ${t.schema}.settle_completed(uuid[], integer[], uuid[], jsonb, jsonb) IS
  'Moves claimed jobs to the history; null when all claims stood, else the ids of those that did: for pgq itself.';
`

const settleEnded = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.settle_ended(ids uuid[], fences integer[], worker_ids uuid[], endings jsonb)
RETURNS TABLE (id uuid) ${HOT_ATTRIBUTES} AS ${functionBody(`
#variable_conflict use_column
BEGIN
  RETURN QUERY ${settleEndedText(t)};
END`)};
COMMENT ON FUNCTION ${t.schema}.settle_ended(uuid[], integer[], uuid[], jsonb) IS
  'Moves claimed jobs to the dead and cancelled ones: for pgq itself.';
`

const settleWaiting = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.settle_waiting(ids uuid[], fences integer[], worker_ids uuid[], changes jsonb)
RETURNS TABLE (id uuid, scheduled_ms float8) ${HOT_ATTRIBUTES} AS ${functionBody(`
#variable_conflict use_column
BEGIN
  RETURN QUERY ${settleWaitingText(t)};
END`)};
COMMENT ON FUNCTION ${t.schema}.settle_waiting(uuid[], integer[], uuid[], jsonb) IS
  'Puts claimed jobs back to wait: for pgq itself.';
`
