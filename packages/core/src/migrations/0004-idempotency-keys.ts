import { type Tables, quoteLiteral } from '../sql/statement.ts'
import { type Migration, functionBody } from './migration.ts'

/** Answers that were given once, by the key under which they may be asked for again. */
export const idempotencyKeys: Migration = {
  id: 4,
  name: 'idempotency keys',
  breaking: false,
  up: (t) => [table(t), findAnswer(t)].join('\n'),
}

const table = (t: Tables): string => `
CREATE TABLE ${t.idempotencyKeys} (
  scope       text        NOT NULL,
  key         text        NOT NULL,
  fingerprint text        NOT NULL,
  answer      jsonb       NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at  timestamptz NOT NULL,
  PRIMARY KEY (scope, key)
);
-- For deleting them when they are old.
CREATE INDEX idempotency_keys_expires_at ON ${t.idempotencyKeys} (expires_at);
`

/**
 * Takes a key for the length of the caller's transaction and looks for its answer. A function, because each statement in it
 * sees what was committed before it: one statement alone would look with a snapshot from before it had the lock, and miss
 * the answer of the transaction that has just given it back. Whoever finds the key taken hears so at once, and waits for nobody.
 */
const findAnswer = (t: Tables): string => `
CREATE FUNCTION ${t.schema}.find_answer(wanted_scope text, wanted_key text)
RETURNS TABLE (is_free boolean, fingerprint text, answer text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS ${functionBody(`
#variable_conflict use_column
BEGIN
  is_free := pg_try_advisory_xact_lock(hashtextextended(
    jsonb_build_array(${quoteLiteral(t.name)}, wanted_scope, wanted_key)::text, 0));
  IF is_free THEN
    SELECT known.fingerprint, known.answer::text INTO fingerprint, answer
    FROM ${t.idempotencyKeys} AS known
    WHERE known.scope = wanted_scope AND known.key = wanted_key AND known.expires_at > clock_timestamp();
  END IF;
  RETURN NEXT;
END`)};
`
