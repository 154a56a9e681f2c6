import { lookCheaply } from '../sql/look-cheaply.ts'
import type { Statement } from '../sql/statement.ts'
import type { Database } from './database.ts'

/** No look takes longer, in ms. */
const TIMEOUT_MS = 10_000

/** Runs a statement that looks, in a transaction whose plans walk indexes whatever the statistics say, and which ends after 10 s. */
export function lookBounded<Params, Row>(
  database: Database,
  statement: Statement<Params, Row>,
  params: Params,
): Promise<Row[]> {
  return database.transaction(async (session) => {
    await session.run(lookCheaply, { timeoutMs: TIMEOUT_MS })
    return session.run(statement, params)
  })
}
