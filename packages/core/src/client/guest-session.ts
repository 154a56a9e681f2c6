import { PgqError, show } from '../errors.ts'
import { databaseError, sqlStateOf } from '../store/database-error.ts'
import type { Session } from '../store/database.ts'
import type { Queryable } from '../store/queryable.ts'

/** The errors that a caller's own retry logic, or its ORM's, looks for by SQLSTATE: they pass as they are. */
const PASSED_ON = new Set(['40001', '40P01', '25P02'])

/** Runs our statements on a connection that belongs to the caller, in the caller's transaction. */
export function guestSession(tx: Queryable, schema: string): Session {
  return {
    run: async (statement, params) => {
      try {
        const { rows } = await tx.query(statement.text, [...statement.values(params)])
        return rows
      } catch (error) {
        if (PASSED_ON.has(sqlStateOf(error) ?? '')) throw error
        throw databaseError(error, statement.name, schema)
      }
    },
  }
}

/**
 * Checks what was given as a transaction. A pool has `query` too, but every statement may go to another connection:
 * a job written there would survive the caller's rollback.
 * @throws PgqError INVALID_OPTION
 */
export function transactionOption(tx: unknown): Queryable {
  if (typeof tx !== 'object' || tx === null || !('query' in tx) || typeof tx.query !== 'function') {
    throw new PgqError(
      'INVALID_OPTION',
      `tx is ${show(tx)}: it must have query(text, values), like a pg client with an open transaction`,
    )
  }
  if ('totalCount' in tx && 'idleCount' in tx) {
    throw new PgqError(
      'INVALID_OPTION',
      'tx is a pool, which has no transaction: pass the client that you sent BEGIN to, or leave tx out',
    )
  }
  return tx as Queryable
}
