import { AHEAD, PARKED } from './parking.ts'
import type { Tables } from './statement.ts'

/**
 * The body of `take_key_by_rules`: takes a key by the rules of the one who comes: which statuses of the holder are in its way, and what then happens to the one or the
 * other. How long the key outlasts the end of the job is the rule of the one who holds it.
 *
 * Locks: the row of the key only to take it over, or for a job that is held back; after it the row of the waiting job. Nothing
 * here waits for a job that is processing, and what ends jobs waits for nothing here (see give_key_back).
 */
export const takeKeyByRulesBody = (t: Tables): string => `
#variable_conflict use_column
DECLARE
  instant   timestamptz := clock_timestamp();
  given     text[]      := ARRAY(SELECT jsonb_array_elements_text(rules -> 'statuses'));
  changing  boolean     := rules ? 'replace' OR rules ? 'debounce_ms';
  serial    boolean     := coalesce((rules ->> 'serial')::boolean, changing AND NOT 'processing' = ANY (given));
  in_my_way text[]      := CASE WHEN given <> '{}' THEN given
                                WHEN serial OR changing THEN '{pending,failed}'
                                ELSE '{pending,processing,failed}' END;
  until     timestamptz := instant + (rules ->> 'period_ms')::float8 * interval '1 ms';
  ended     text[]      := CASE WHEN until IS NULL THEN NULL WHEN given = '{}' THEN '{completed}' ELSE given END;
  replaced  text[]      := CASE WHEN rules ? 'debounce_ms' THEN '{payload}' ELSE ARRAY(SELECT jsonb_array_elements_text(rules -> 'replace')) END;
  held      record;
  status    text;
  job       record;
  ahead     uuid;
  locked    boolean := false;
  parked    boolean;
  wanted    timestamptz;
BEGIN
  behind := false;
  LOOP
    SELECT known.job_id, known.behind_id, known.held_until > clock_timestamp() AS kept,
           'completed' = ANY (known.ended_statuses) AS kept_when_done INTO held
    FROM ${t.uniqueKeys} AS known
    WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key;
    IF NOT FOUND THEN
      INSERT INTO ${t.uniqueKeys} AS known (queue_name, unique_key, job_id, held_until, ended_statuses)
      VALUES (wanted_queue, wanted_key, taker, until, ended)
      ON CONFLICT (queue_name, unique_key) DO NOTHING;
      IF FOUND THEN
        standing := NULL;
        outcome := NULL;
        RETURN;
      END IF;
      CONTINUE;
    END IF;
    status := ${t.schema}.live_status(held.job_id, wanted_queue, wanted_key);
    standing := held.job_id;
    outcome := 'skipped';

    IF status = ANY (in_my_way) AND (status = 'processing' OR NOT (serial OR changing)) THEN RETURN; END IF;
    IF status IS NULL AND held.kept THEN RETURN; END IF;
    -- One that runs will have been the one of its period: nothing is to wait behind it.
    IF status = 'processing' AND serial AND NOT changing AND held.kept AND held.kept_when_done THEN RETURN; END IF;

    -- The row of the key comes first, for all who need both.
    IF NOT locked AND (status IS NULL OR NOT status = ANY (in_my_way) OR changing AND held.behind_id IS NOT NULL) THEN
      PERFORM FROM ${t.uniqueKeys} AS known
      WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key
      FOR UPDATE;
      locked := FOUND;
      CONTINUE;
    END IF;

    IF status = ANY (in_my_way) THEN
      -- It waits. It is locked until this transaction ends, so that it does not start before what is written here is there to
      -- be seen. If it has just been claimed, look again.
      IF NOT changing THEN
        PERFORM FROM ${t.waiting} AS waiting
        WHERE waiting.id = held.job_id AND waiting.unique_key = wanted_key
        FOR KEY SHARE;
        IF FOUND THEN RETURN; END IF;
        CONTINUE;
      END IF;
      SELECT waiting.scheduled_for, waiting.created_at INTO job
      FROM ${t.waiting} AS waiting
      WHERE waiting.id = held.job_id AND waiting.unique_key = wanted_key
      FOR NO KEY UPDATE;
      CONTINUE WHEN NOT FOUND;
      -- Somebody may have come behind it while its row was waited for: the newest payload must be the last one to run.
      SELECT known.job_id, known.behind_id INTO held
      FROM ${t.uniqueKeys} AS known
      WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key;
      CONTINUE WHEN held.job_id IS DISTINCT FROM standing;
      parked := held.behind_id IS NOT NULL AND job.scheduled_for >= ${PARKED};
      wanted := job.scheduled_for - CASE WHEN parked THEN ${AHEAD} ELSE interval '0' END;
      IF rules ? 'debounce_ms' THEN
        -- What is due stays due.
        IF wanted > instant THEN
          wanted := greatest(wanted, least(due, job.created_at + (rules ->> 'max_wait_ms')::float8 * interval '1 ms'));
        END IF;
      ELSIF 'scheduled_for' = ANY (replaced) THEN
        wanted := due;
      END IF;
      UPDATE ${t.waiting} AS waiting
      SET payload = CASE WHEN 'payload' = ANY (replaced) THEN new_payload ELSE waiting.payload END,
          metadata = CASE WHEN 'payload' = ANY (replaced) THEN notes ELSE waiting.metadata END,
          group_key = CASE WHEN 'payload' = ANY (replaced) THEN tenant ELSE waiting.group_key END,
          cost = CASE WHEN 'payload' = ANY (replaced) THEN price ELSE waiting.cost END,
          -- Another payload has all the attempts before it.
          attempts = CASE WHEN 'payload' = ANY (replaced) AND waiting.status = 'failed' THEN 0 ELSE waiting.attempts END,
          crashes = CASE WHEN 'payload' = ANY (replaced) AND waiting.status = 'failed' THEN 0 ELSE waiting.crashes END,
          priority = CASE WHEN 'priority' = ANY (replaced) THEN rank ELSE waiting.priority END,
          scheduled_for = CASE WHEN parked THEN ${t.schema}.parked_until(wanted) ELSE wanted END
      WHERE waiting.id = standing AND waiting.unique_key = wanted_key;
      IF parked THEN
        -- It is looked after at the commit: until then, who ends the job ahead of it cannot release it.
        UPDATE ${t.uniqueKeys} AS known SET behind_id = known.behind_id
        WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key;
      END IF;
      outcome := 'replaced';
      RETURN;
    END IF;

    ahead := CASE WHEN NOT serial THEN NULL
                  WHEN status IS NOT NULL THEN held.job_id
                  WHEN ${t.schema}.live_status(held.behind_id, wanted_queue, wanted_key) IS NOT NULL THEN held.behind_id END;
    UPDATE ${t.uniqueKeys} AS known
    SET job_id = taker, behind_id = ahead, held_until = until, ended_statuses = ended
    WHERE known.queue_name = wanted_queue AND known.unique_key = wanted_key;
    standing := NULL;
    outcome := NULL;
    behind := ahead IS NOT NULL;
    RETURN;
  END LOOP;
END`
