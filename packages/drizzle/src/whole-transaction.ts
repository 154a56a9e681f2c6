import { PgqError } from '@pgq/core'
import { driverClient } from './driver-client.ts'
import { sqlStateOf } from './driver-error.ts'
import { type DrizzleExecutor, fromDrizzle } from './from-drizzle.ts'

/**
 * Throws when a statement of the transaction has failed and the error was passed over. PostgreSQL answers the COMMIT of
 * such a transaction with ROLLBACK and no error, which node-postgres and PGlite don't look at.
 * @throws the error of the enqueue that the database has refused, if it was one; PgqError DATABASE_REJECTED with SQLSTATE
 * 25P02 else
 */
export async function assertWhole(tx: DrizzleExecutor, failures: readonly unknown[]): Promise<void> {
  if (!(await isBroken(tx))) return
  // A payload that pgq has refused never came to the database, and has broken nothing.
  throw failures.find((error) => sqlStateOf(error) !== undefined) ?? brokenTransaction('COMMIT')
}

/** The error of whoever comes after a statement that has failed. */
export function brokenTransaction(doing: string, cause?: unknown): PgqError {
  return new PgqError(
    'DATABASE_REJECTED',
    `cannot ${doing}: a statement of the transaction has failed, so PostgreSQL rolls it back; run what may fail in a nested transaction`,
    { sqlState: '25P02', cause },
  )
}

async function isBroken(tx: DrizzleExecutor): Promise<boolean> {
  const client = driverClient(tx)
  // postgres.js remembers the failed statement, and throws its error by itself.
  if (client?.savepoint !== undefined) return false
  // A failure is told a moment before the status that it led to.
  const status = client?.readyForQuery === false ? null : client?.getTransactionStatus?.()
  if (typeof status === 'string') return status === 'E'
  return fromDrizzle(tx)
    .query('SELECT 1')
    .then(
      () => false,
      () => true,
    )
}
