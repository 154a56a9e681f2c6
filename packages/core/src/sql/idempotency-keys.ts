import { deleteSome } from './delete-some.ts'
import type { Statement, Tables } from './statement.ts'

/** One key, within its scope. */
export interface KeyParams {
  readonly scope: string
  readonly key: string
}

export interface AnswerRow {
  /** False while another open transaction has the key. */
  readonly free: string
  /** The fingerprint and the answer that are stored; null when there are none. */
  readonly fingerprint: string | null
  readonly answer: string | null
}

/** Takes the key until the transaction ends, and looks for its answer. It runs on other people's drivers: text only, and names of one word. */
export const findAnswer = (t: Tables): Statement<KeyParams, AnswerRow> => ({
  name: 'find the answer of an idempotency key',
  text: `SELECT is_free::text AS free, fingerprint, answer FROM ${t.schema}.find_answer($1::text, $2::text)`,
  values: ({ scope, key }) => [scope, key],
})

/**
 * Stores the answer of a key. One that has expired is replaced; one that still counts stays, and nothing is returned. That
 * happens to a transaction whose snapshot is older than the answer (REPEATABLE READ), which could not see it.
 */
export const storeAnswer = (
  t: Tables,
): Statement<
  KeyParams & { readonly fingerprint: string; readonly text: string; readonly keepMs: number },
  { readonly key: string }
> => ({
  name: 'store the answer of an idempotency key',
  text: `
INSERT INTO ${t.idempotencyKeys} AS known (scope, key, fingerprint, answer, expires_at)
VALUES ($1::text, $2::text, $3::text, $4::text::jsonb, clock_timestamp() + $5::float8 * interval '1 ms')
ON CONFLICT (scope, key) DO UPDATE
SET fingerprint = excluded.fingerprint, answer = excluded.answer, created_at = excluded.created_at, expires_at = excluded.expires_at
WHERE known.expires_at <= clock_timestamp()
RETURNING key`,
  values: ({ scope, key, fingerprint, text, keepMs }) => [scope, key, fingerprint, text, keepMs],
})

/** Deletes answers that have expired, a bounded number at a time. */
export const deleteExpiredAnswers = (
  t: Tables,
): Statement<{ readonly limit: number }, { readonly key: string }> => ({
  name: 'delete expired idempotency keys',
  text: `${deleteSome(t.idempotencyKeys, 'past.expires_at <= clock_timestamp()')}
RETURNING key`,
  values: ({ limit }) => [limit],
})
