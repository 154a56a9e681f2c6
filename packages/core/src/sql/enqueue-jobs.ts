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
