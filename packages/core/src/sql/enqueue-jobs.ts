import type { Statement, Tables } from './statement.ts'

export interface EnqueueParams {
  /** A JSON array of jobs, as text. */
  readonly jobs: string
  /** The transaction that the caller was in when it called, if the statement could not be sent at once. */
  readonly transactionId: string | null
}

/**
 * Writes jobs. One text parameter in, text columns out: this is the one statement that runs on other people's drivers,
 * and only text means the same to all of them (`$1::jsonb` is encoded twice by some). Some rename columns, from snake_case to camelCase
 * say: the columns that we read have names of one word.
 */
export const enqueueJobs = (
  t: Tables,
): Statement<
  EnqueueParams,
  { readonly id: string; readonly standing: string; readonly outcome: string }
> => ({
  name: 'enqueue jobs',
  text: `SELECT id, standing_id AS standing, outcome FROM ${t.schema}.enqueue_many($1::text::jsonb, $2::text)`,
  values: ({ jobs, transactionId }) => [jobs, transactionId],
})

/**
 * The same for statements that others share, on our own connections and outside of transactions: it gives up (55P03) when it has waited for so long
 * for a key that an open transaction has taken. The setting ends with the statement; that the function takes its result orders the two.
 */
export const enqueueImpatiently = (
  t: Tables,
): Statement<
  { readonly jobs: string; readonly patienceMs: number },
  { readonly id: string; readonly standing: string; readonly outcome: string }
> => ({
  name: 'enqueue jobs impatiently',
  text: `
SELECT written.id, written.standing_id AS standing, written.outcome
FROM (SELECT set_config('lock_timeout', $2::text, true) AS timeout OFFSET 0) AS patience
CROSS JOIN LATERAL ${t.schema}.enqueue_many($1::text::jsonb, nullif(patience.timeout, patience.timeout)) AS written`,
  values: ({ jobs, patienceMs }) => [jobs, String(patienceMs)],
})

export interface EnqueueAlikeParams {
  /** What the jobs share, as the text of a JSON object. */
  readonly shared: string
  readonly ids: readonly string[]
  /** A JSON array, as text: as many as there are ids. */
  readonly payloads: string
  readonly transactionId: string | null
}

/** Writes jobs that differ in id and payload only: nearly all that are enqueued together do. Text in, like the other. */
export const enqueueAlike = (t: Tables): Statement<EnqueueAlikeParams, never> => ({
  name: 'enqueue jobs that are alike',
  text: `SELECT FROM ${t.schema}.enqueue_alike($1::text::jsonb, $2::text::uuid[], $3::text::jsonb, $4::text)`,
  values: ({ shared, ids, payloads, transactionId }) => [
    shared,
    `{${ids.join(',')}}`,
    payloads,
    transactionId,
  ],
})

/** Says which transaction is open. It takes a transaction id if there was none: the caller is about to write anyway. */
export const currentTransaction: Statement<void, { readonly xid: string }> = {
  name: 'identify the transaction',
  text: 'SELECT pg_current_xact_id()::text AS xid',
  values: () => [],
}
