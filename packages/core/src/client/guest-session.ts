import { PgqError, show } from '../errors.ts'
import { databaseError, sqlStateOf } from '../store/database-error.ts'
import type { Session } from '../store/database.ts'
import type { Queryable } from '../store/queryable.ts'

/** The errors that a caller's own retry logic, or its ORM's, looks for by SQLSTATE: they pass as they are. */
const PASSED_ON = new Set(['40001', '40P01', '25P02'])

const READ_ONLY = '25006'

/** A connection that belongs to the caller. */
export interface GuestSession extends Session {
  /** Whether each statement commits by itself, so that two of them are in no transaction together. */
  readonly autocommit: boolean
}

/**
 * Runs our statements on a connection that belongs to the caller, in the caller's transaction.
 * @throws PgqError INVALID_OPTION for what can't be one
 */
export function guestSession(given: unknown, schema: string): GuestSession {
  const tx = transactionOption(given)
  return {
    autocommit: tx.autocommit === true,
    run: async (statement, params) => {
      assertOpen(tx)
      try {
        const { rows } = await tx.query(statement.text, [...statement.values(params)])
        return rows
      } catch (error) {
        const sqlState = sqlStateOf(error)
        if (sqlState !== undefined && PASSED_ON.has(sqlState)) throw error
        // On a connection of ours it would mean that the primary has moved; here somebody asked for it.
        if (sqlState === READ_ONLY) {
          const message = `cannot ${statement.name}: the transaction is read-only`
          throw new PgqError('DATABASE_REJECTED', message, { cause: error, sqlState })
        }
        throw databaseError(error, statement.name, schema)
      }
    },
  }
}

/**
 * Checks what was given as a transaction. A pool has `query` too, but every statement may go to another connection:
 * a job written there would survive the caller's rollback.
 */
function transactionOption(tx: unknown): Queryable {
  if (typeof tx !== 'object' || tx === null || !('query' in tx) || typeof tx.query !== 'function') {
    throw new PgqError(
      'INVALID_OPTION',
      `tx is ${show(tx)}: it must have query(text, values), like a pg client with an open transaction (for Drizzle, fromDrizzle(tx) of @pgq/drizzle)`,
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

/** A client of `pg` that still has a query to send, a BEGIN perhaps, is not ready for the next one. */
type PgClient = Queryable & { readonly readyForQuery?: boolean }

/** Without a transaction the statement would commit by itself, and the job would survive whatever the caller then does. */
function assertOpen(tx: PgClient): void {
  if (tx.autocommit === true || tx.readyForQuery === false || tx.getTransactionStatus?.() !== 'I') return
  throw new PgqError(
    'TRANSACTION_CLOSED',
    'tx has no open transaction: it was never begun or has already ended. Await the call inside the transaction, or leave tx out',
  )
}
