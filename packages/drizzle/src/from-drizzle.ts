import { PgqError, type Queryable } from '@pgq/core'
import { show } from '@pgq/core/options'
import { driverError, sqlStateOf } from './driver-error.ts'
import { transactionStatus } from './transaction-status.ts'

/**
 * What runs SQL in Drizzle: a `db` or a transaction of node-postgres, postgres-js or PGlite. A shape and not Drizzle's own
 * types, because those changed their names from 0.45 to 1.0.
 */
export interface DrizzleExecutor {
  execute(query: never): PromiseLike<unknown>
  /** Tells it from a query, which has an `execute` too. */
  transaction(work: never): Promise<unknown>
}

/** A finished statement where Drizzle expects one that it has to build. */
type Statement = { getSQL(): { toQuery(): { sql: string; params: unknown[] } } }

/**
 * Makes Drizzle's transaction what pgq takes as `tx`: `pgq.enqueue(queue, payload, { tx: fromDrizzle(tx) })`. The job
 * exists if and only if that transaction commits. A nested transaction is as good, and a `db` commits each call by itself.
 *
 * The statement is with the driver before `query` returns, so an enqueue that nobody awaits is still in order before a
 * ROLLBACK. After the end of a transaction it is refused with TRANSACTION_CLOSED on node-postgres and PGlite; postgres-js
 * does not say that a transaction has ended.
 * @throws PgqError INVALID_OPTION when it is given something else
 */
export function fromDrizzle(db: DrizzleExecutor): Queryable {
  assertExecutor(db)
  const query: Queryable['query'] = (text, values = []) =>
    // `then` starts Drizzle's lazy query in this very turn, and what it throws becomes a rejection.
    new Promise((resolve, reject) => {
      send(db, finished(text, values)).then(
        (answer) => resolve({ rows: rowsOf(answer) }),
        (error: unknown) => reject(isConflict(error) ? error : driverError(error)),
      )
    })
  if (!isTransaction(db)) return { query, autocommit: true }
  return { query, getTransactionStatus: transactionStatus(db) }
}

/** Whether it is a transaction; only those can be rolled back. */
export function isTransaction(db: object): boolean {
  return 'rollback' in db && typeof db.rollback === 'function'
}

/**
 * The text goes to the driver as it is: Drizzle's `sql` would number the parameters anew, and finding ours in the text
 * would mean to parse it, where a quoted name may well contain "$1".
 */
const finished = (text: string, values: unknown[]): Statement => ({
  getSQL: () => ({ toQuery: () => ({ sql: text, params: values }) }),
})

const send = (db: DrizzleExecutor, statement: Statement): PromiseLike<unknown> =>
  db.execute(statement as never)

function assertExecutor(db: unknown): asserts db is DrizzleExecutor {
  if (typeof db === 'object' && db !== null && isFunctionIn(db, 'execute') && isFunctionIn(db, 'transaction'))
    return
  throw new PgqError(
    'INVALID_OPTION',
    `fromDrizzle was given ${show(db)}: pass the tx of db.transaction(async (tx) => …), or a Drizzle db for PostgreSQL`,
  )
}

const isFunctionIn = (object: object, name: string): boolean =>
  typeof (object as Record<string, unknown>)[name] === 'function'

/** node-postgres and PGlite answer with an object that has rows, postgres-js with the rows themselves. */
function rowsOf(answer: unknown): unknown[] {
  return Array.isArray(answer) ? answer.map(withColumnNames) : (answer as { rows: unknown[] }).rows
}

/** postgres.js may have been told to rename columns. Those of pgq have names of one word, whose case is all that can change. */
const withColumnNames = (row: object): object =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]))

/** Errors that a retry of the transaction may solve stay as Drizzle's, as callers know them from their own statements. */
function isConflict(error: unknown): boolean {
  return sqlStateOf(error)?.startsWith('40') ?? false
}
