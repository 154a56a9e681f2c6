import { claimedColumns, claimText } from './claim-jobs.ts'
import { moveInto } from './columns.ts'
import { dueJobs, groupsWhere } from './group-turns.ts'
import { beginsAt, SAVED_UP_MS, savedUp } from './rates.ts'
import type { Tables } from './statement.ts'

/** Of a queue with groups, so many jobs that are due are looked at to find the groups that have some; are there more, groups are stepped through. */
const DUE_LOOKS = 256
/** So many groups are looked at by one claim at the most. */
const GROUP_LOOKS = 1_000
/** While a limit leaves jobs behind, when to look again at the latest, in ms: whoever frees a slot looks at once. */
const LOOK_AGAIN_MS = 500
/** After a claim that looked at as many groups as it may, in vain, when the next ones are looked at, in ms. */
const LOOK_ON_MS = 20
/** How often it is tried, 1, 2, 3 … ms apart, to be the only one who claims from a queue. */
const LOCK_TRIES = 8

/** What a claim writes of each job. */
const CLAIMED = {
  status: `'processing'`,
  attempts: 'attempts + 1',
  fence: 'fence + 1',
  locked_by: 'worker_id',
  started_at: 'clock_timestamp()',
} as const

/** The variables of `claim_limited` that its plain claim is given. */
const PLAIN = {
  worker: 'worker_id',
  queues: 'ARRAY[wanted_queue]',
  slots: 'ARRAY[free]',
  floorPriorities: 'ARRAY[floor_priority]',
  floorsMs: 'ARRAY[floor_ms]',
  limited: 'is_counted',
}

/**
 * The body of `claim_limited`: claims from one queue under its limits, and in turns from its groups. Only one transaction at a time
 * does this to a queue, and the lock comes before the first look: each statement in a function sees what was committed before
 * it, so what runs is counted exactly. The slots that are taken are the rows of `jobs_processing` themselves: whatever ends a
 * claim frees its slot, and nothing else does. Nobody who enqueues or settles takes the lock.
 *
 * Jobs are chosen by `(place in their group, turn of the group)`: each group gets one before any gets two. The turns go on after
 * `last_group`, which the worker remembers ('' for the jobs without one, which are a group like any other); groups that come up empty cost a probe of an index. There may be so many of these that turns
 * take long, so what slots are left go to the groups that have waited longest, whose turn it is or not.
 *
 * The last row has no id; its payload tells the worker how it went: `cursor`, where turns go on; `again_ms`, when to look again;
 * `paused`; `counted`, that it has limits; `limited`, that one of them kept jobs back.
 */
export const claimLimitedBody = (t: Tables): string => `
#variable_conflict use_column
DECLARE
  instant    timestamptz;
  rule       ${t.queues};
  pace       ${t.rates};
  free       integer := wanted_slots;
  step       float8;
  burst      float8;
  group_step float8;
  group_burst float8;
  is_counted boolean;
  is_more    boolean := false;
  is_cut     boolean;
  is_short   boolean;
  -- The groups in turn, and where the look at them has ended; and those that have waited longest, whether in turn or not.
  keys       text[];
  firsts     timestamptz[];
  last_seen  text;
  aged       text[];
  due_seen   integer;
  lookahead  integer;
  tids       tid[];
  ids        uuid[];
  served     text[];
  costs      float8[];
  next_at    timestamptz;
  note       jsonb := '{}';
BEGIN
  FOR try IN 1..${LOCK_TRIES} LOOP
    EXIT WHEN pg_try_advisory_xact_lock(hashtextextended(jsonb_build_array('${t.channel}', wanted_queue)::text, 0));
    IF try = ${LOCK_TRIES} THEN
      RETURN QUERY SELECT NULL::uuid, wanted_queue, jsonb_build_object('counted', true, 'again_ms', ${LOCK_TRIES}, 'cursor', last_group), NULL::text, NULL::integer, NULL::jsonb, NULL::jsonb;
      RETURN;
    END IF;
    PERFORM pg_sleep(try * 0.001);
  END LOOP;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the limits of queue % cannot be kept in a transaction that is %', wanted_queue, current_setting('transaction_isolation')
      USING ERRCODE = '25001', HINT = 'Workers need READ COMMITTED: reset default_transaction_isolation for their role.';
  END IF;
  instant := clock_timestamp();
  SELECT * INTO rule FROM ${t.queues} AS queue WHERE queue.name = wanted_queue;
  SELECT * INTO pace FROM ${t.rates} AS rate WHERE rate.queue_name = wanted_queue AND rate.group_key = '';
  IF rule.paused_at IS NOT NULL THEN
    RETURN QUERY SELECT NULL::uuid, wanted_queue, '{"paused": true}'::jsonb, NULL::text, NULL::integer, NULL::jsonb, NULL::jsonb;
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM ${t.workers} AS worker WHERE worker.id = worker_id AND worker.lost_at IS NULL) THEN
    RETURN;
  END IF;

  is_counted := num_nonnulls(rule.concurrency_limit, rule.group_concurrency_limit) > 0;
  note := jsonb_build_object('counted', is_counted OR num_nonnulls(rule.rate_limit, rule.group_rate_limit) > 0);
  IF rule.concurrency_limit IS NOT NULL THEN
    free := least(free, rule.concurrency_limit - (
      SELECT count(*) FROM (
        SELECT FROM ${t.processing} AS job WHERE job.limited AND job.queue_name = wanted_queue LIMIT rule.concurrency_limit) AS running));
  END IF;
  IF free <= 0 OR pace.blocked_until > instant THEN
    note := note || jsonb_build_object('limited', true, 'cursor', last_group, 'again_ms',
      CASE WHEN pace.blocked_until > instant THEN date_part('epoch', pace.blocked_until - instant) * 1000 ELSE ${LOOK_AGAIN_MS} END);
    RETURN QUERY SELECT NULL::uuid, wanted_queue, note, NULL::text, NULL::integer, NULL::jsonb, NULL::jsonb;
    RETURN;
  END IF;
  step := rule.rate_period_ms / rule.rate_limit;
  burst := coalesce(rule.rate_burst, greatest(1, ceil(${SAVED_UP_MS} / step)));
  group_step := rule.group_rate_period_ms / rule.group_rate_limit;
  group_burst := coalesce(rule.group_rate_burst, greatest(1, ceil(${SAVED_UP_MS} / group_step)));

  SELECT array_agg(DISTINCT due.group_key), count(*) INTO aged, due_seen
  FROM (SELECT job.group_key FROM ${t.waiting} AS job
        WHERE job.queue_name = wanted_queue AND job.group_key IS NOT NULL AND job.scheduled_for <= instant
        ORDER BY job.scheduled_for
        LIMIT ${DUE_LOOKS}) AS due;
  IF due_seen < ${DUE_LOOKS} THEN
    keys := aged;
    aged := '{}';
  ELSE
    lookahead := least(${GROUP_LOOKS}, 2 * free + 64);
    SELECT array_agg(turn.key), array_agg(turn.first_at) INTO keys, firsts FROM (${groupsWhere(t, `coalesce(last_group, '')`, 'lookahead')}) AS turn;
    is_more := coalesce(cardinality(keys), 0) = lookahead;
    IF NOT is_more AND last_group IS NOT NULL THEN
      SELECT keys || array_agg(turn.key), firsts || array_agg(turn.first_at) INTO keys, firsts
      FROM (${groupsWhere(t, `''`, 'lookahead - coalesce(cardinality(keys), 0)')}) AS turn
      WHERE turn.key <= last_group;
      is_more := cardinality(keys) >= lookahead;
    END IF;
    last_seen := keys[cardinality(keys)];
    -- Those that have jobs for later only would take from the share of the others.
    keys := ARRAY(
      SELECT turn.name FROM (SELECT unnest(keys) AS name, unnest(firsts) AS first_at, 1 AS room) AS turn
      WHERE turn.first_at <= instant OR EXISTS (${dueJobs(t, `turn.name <> ''`, 'job.group_key = turn.name')}));
  END IF;
  -- Without groups and a rate there is nothing to weigh: the claim is that of any other queue, of so many jobs.
  IF keys IS NULL AND step IS NULL THEN
    RETURN QUERY ${claimText(t, PLAIN)};
    GET DIAGNOSTICS due_seen = ROW_COUNT;
    IF due_seen = free AND free < wanted_slots THEN
      note := note || jsonb_build_object('limited', true, 'again_ms', ${LOOK_AGAIN_MS});
    END IF;
    RETURN QUERY SELECT NULL::uuid, wanted_queue, note || jsonb_build_object('cursor', last_group), NULL::text, NULL::integer, NULL::jsonb, NULL::jsonb;
    RETURN;
  END IF;
  keys := array_append(keys, '');
  aged := ARRAY(SELECT key FROM unnest(aged) AS key WHERE key <> ALL (keys));
  -- So many of each are looked at as its share is, if those without a group have none. Where some leave some of theirs, and others have more, it is looked further.
  lookahead := greatest(1, ceil(free::float8 / greatest(1, cardinality(keys || aged) - 1)))::integer;

  LOOP
    WITH turn AS MATERIALIZED (
      -- Those that have waited longest come after those in turn by this as well: there is none between these.
      SELECT key.name, row_number() OVER (ORDER BY coalesce(key.name <= last_group, false), key.name) AS place,
             ${savedUp('rate.available_at', 'group_burst', 'group_step')} AS available, rate.blocked_until,
             CASE WHEN key.name = '' OR rule.group_concurrency_limit IS NULL THEN lookahead
                  ELSE least(lookahead, rule.group_concurrency_limit - (
                    SELECT count(*) FROM (
                      SELECT FROM ${t.processing} AS job
                      WHERE job.limited AND job.queue_name = wanted_queue AND job.group_key = key.name
                      LIMIT rule.group_concurrency_limit) AS running)) END::integer AS room
      FROM (SELECT unnest(keys || aged) COLLATE "C" AS name) AS key
      LEFT JOIN LATERAL (
        SELECT known.available_at, known.blocked_until FROM ${t.rates} AS known
        WHERE known.queue_name = wanted_queue AND known.group_key = key.name AND key.name <> ''
        LIMIT 1) AS rate ON true
    ),
    due AS MATERIALIZED (
      SELECT turn.name, turn.place, turn.available, turn.blocked_until, job.*
      FROM turn
      CROSS JOIN LATERAL (
        SELECT one.tid, one.id, one.cost, row_number() OVER so_far AS nth, sum(one.cost) OVER so_far - one.cost AS cost_before
        FROM (
          ${dueJobs(t, `turn.name <> ''`, 'job.group_key = turn.name')}
          UNION ALL
          ${dueJobs(t, `turn.name = ''`, 'job.group_key IS NULL')}
        ) AS one
        WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)
      ) AS job
      WHERE turn.room > 0
    ),
    paced AS (
      SELECT due.*, greatest(due.blocked_until,
               CASE WHEN due.name <> '' AND group_step IS NOT NULL THEN ${beginsAt('available', 'cost_before', 'group_burst', 'group_step')} END) AS group_at
      FROM due
    ),
    ordered AS (
      SELECT paced.*, sum(paced.cost) OVER in_turn - paced.cost AS all_before
      FROM paced WHERE coalesce(paced.group_at <= instant, true)
      WINDOW in_turn AS (ORDER BY paced.nth, paced.place ROWS UNBOUNDED PRECEDING)
    ),
    begun AS (
      SELECT ordered.*, CASE WHEN step IS NOT NULL THEN ${beginsAt(savedUp('pace.available_at', 'burst', 'step'), 'all_before', 'burst', 'step')} END AS begins_at
      FROM ordered
    ),
    chosen AS MATERIALIZED (
      SELECT * FROM begun WHERE coalesce(begins_at <= instant, true)
      ORDER BY nth, place
      LIMIT free
    )
    SELECT array_agg(chosen.tid), array_agg(chosen.id), array_agg(chosen.name), array_agg(chosen.cost),
           least((SELECT min(group_at) FROM paced WHERE group_at > instant), (SELECT min(begins_at) FROM begun WHERE begins_at > instant)),
           EXISTS (SELECT FROM due WHERE nth = lookahead) OR (SELECT count(*) FROM ordered) > free,
           -- Whether there may be more for what slots are left, behind what was looked at.
           bool_or(chosen.nth = lookahead) AND count(*) < free AND count(*) = (SELECT count(*) FROM ordered) AND (SELECT count(*) FROM due) < 2 * free
    INTO tids, ids, served, costs, next_at, is_cut, is_short
    FROM chosen;
    EXIT WHEN is_short IS NOT TRUE;
    lookahead := 4 * lookahead;
  END LOOP;

  RETURN QUERY
  WITH locked AS MATERIALIZED (
    SELECT job.tid
    FROM unnest(tids, ids) AS pick (tid, id)
    CROSS JOIN LATERAL (
      SELECT waiting.ctid AS tid FROM ${t.waiting} AS waiting
      WHERE waiting.ctid = pick.tid AND waiting.id = pick.id
      LIMIT 1
      FOR UPDATE SKIP LOCKED) AS job
  ),
  removed AS (
    DELETE FROM ${t.waiting} AS job
    WHERE job.ctid = ANY (ARRAY(SELECT tid FROM locked))
    RETURNING job.*
  )
  ${moveInto(t.processing, 'removed', { ...CLAIMED, started_at: 'instant', limited: 'is_counted' })}
  RETURNING ${claimedColumns};

  -- What was chosen is paid for, also the job that somebody else has changed at this moment.
  IF step IS NOT NULL AND cardinality(ids) > 0 THEN
    INSERT INTO ${t.rates} AS rate (queue_name, group_key, available_at)
    VALUES (wanted_queue, '', ${savedUp('pace.available_at', 'burst', 'step')} + (SELECT sum(cost) FROM unnest(costs) AS cost) * step * interval '1 ms')
    ON CONFLICT (queue_name, group_key) DO UPDATE SET available_at = excluded.available_at;
  END IF;
  IF group_step IS NOT NULL AND cardinality(ids) > 0 THEN
    INSERT INTO ${t.rates} AS rate (queue_name, group_key, available_at)
    SELECT wanted_queue, pick.name, instant - (group_burst - 1) * group_step * interval '1 ms' + sum(pick.cost) * group_step * interval '1 ms'
    FROM unnest(served, costs) AS pick (name, cost) WHERE pick.name <> '' GROUP BY pick.name
    ON CONFLICT (queue_name, group_key) DO UPDATE
    SET available_at = greatest(rate.available_at - (instant - (group_burst - 1) * group_step * interval '1 ms'), interval '0') + excluded.available_at;
  END IF;

  IF coalesce(cardinality(ids), 0) < wanted_slots THEN
    note := note || jsonb_build_object(
      'limited', is_counted OR next_at IS NOT NULL,
      'again_ms', CASE WHEN (is_more OR is_cut) AND cardinality(ids) > 0 AND cardinality(ids) < free THEN 0
                       ELSE least(CASE WHEN is_more THEN ${LOOK_ON_MS} END, CASE WHEN is_counted THEN ${LOOK_AGAIN_MS} END,
                                  greatest(1, date_part('epoch', next_at - instant) * 1000)) END);
  END IF;
  -- The turns go on after the last that was served in turn, or where the look has ended when all of them were.
  IF NOT is_more OR coalesce(cardinality(ids), 0) >= free THEN
    last_seen := coalesce(
      CASE WHEN aged = '{}' THEN served[cardinality(served)]
           ELSE (SELECT pick.name FROM unnest(served) WITH ORDINALITY AS pick (name, place)
                 WHERE pick.name = ANY (keys) ORDER BY pick.place DESC LIMIT 1) END,
      CASE WHEN is_more THEN last_seen END, last_group);
  END IF;
  RETURN QUERY SELECT NULL::uuid, wanted_queue, note || jsonb_build_object('cursor', last_seen),
    NULL::text, NULL::integer, NULL::jsonb, NULL::jsonb;
END`
