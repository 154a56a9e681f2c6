import {
  type AnyQueue,
  type EnqueueOptions,
  type EnqueueResult,
  type InputOf,
  type Pgq,
  PgqError,
} from '@pgq/core'
import { show } from '@pgq/core/options'
import { driverError, isUnavailable, sqlStateOf } from './driver-error.ts'
import type { DrizzleDatabase, TransactionConfigOf, TransactionOf } from './drizzle-database.ts'
import { EnqueueGuard } from './enqueue-guard.ts'
import { type DrizzleExecutor, fromDrizzle, isTransaction } from './from-drizzle.ts'
import { runTransaction } from './own-connection.ts'
import { assertWhole, brokenTransaction } from './whole-transaction.ts'

/** Enqueues in one transaction, as long as it is open. */
export interface TransactionJobs {
  /**
   * Writes one job, as `pgq.enqueue` does.
   * @throws PgqError as `pgq.enqueue`; TRANSACTION_CLOSED after the end
   */
  enqueue<Q extends AnyQueue>(
    queue: Q,
    payload: InputOf<Q>,
    options?: Omit<EnqueueOptions<InputOf<Q>>, 'tx'>,
  ): Promise<EnqueueResult>
  /**
   * Writes many jobs of one queue, all of them or none, as `pgq.enqueueMany` does.
   * @throws PgqError as `pgq.enqueueMany`; TRANSACTION_CLOSED after the end
   */
  enqueueMany<Q extends AnyQueue>(
    queue: Q,
    payloads: Iterable<InputOf<Q>>,
    options?: Omit<EnqueueOptions<InputOf<Q>>, 'tx'>,
  ): Promise<EnqueueResult[]>
}

/**
 * Runs `work` in a transaction of Drizzle's, with enqueues that cannot slip out of it. Those that nobody awaited are
 * waited for before COMMIT, and if one of them fails the transaction rolls back with its error; after the end they are
 * refused. When this resolves everything is committed: a statement that failed and was passed over rejects, where
 * Drizzle alone would resolve although PostgreSQL has rolled back.
 *
 * `db` is a database, or a transaction to nest this one in; `config` goes to Drizzle as it is.
 * A connection that breaks doesn't harm the pool of `pg` that it is from: other than with `db.transaction` before Drizzle
 * 1.0, it is given back when BEGIN fails, and is never lent again in the middle of a transaction.
 * @throws whatever `work` throws; PgqError DATABASE_REJECTED with SQLSTATE 25P02 when a statement had failed before,
 * DATABASE_UNAVAILABLE when no connection was to be had, or when it was lost at COMMIT: then it says that nobody knows
 * whether the transaction was committed
 * @example
 * await transaction(pgq, db, async (tx, jobs) => {
 *   const [payment] = await tx.insert(payments).values(input).returning()
 *   await jobs.enqueue(receipts, { paymentId: payment.id })
 * })
 */
export function transaction<Db extends DrizzleDatabase, T>(
  pgq: Pgq,
  db: Db,
  work: (tx: TransactionOf<Db>, jobs: TransactionJobs) => Promise<T>,
  config?: TransactionConfigOf<Db>,
): Promise<T> {
  assertDatabase(db)
  let outcome: Outcome<T> | undefined
  const guarded = async (tx: TransactionOf<Db> & DrizzleExecutor): Promise<T> => {
    const guard = new EnqueueGuard()
    try {
      const answer = await work(tx, jobsOn(pgq, tx, guard))
      await guard.flush()
      await assertWhole(tx, guard.failures)
      outcome = { answer }
      return answer
    } catch (error) {
      outcome = { error }
      throw error
    } finally {
      await guard.close()
    }
  }
  return runTransaction(db, guarded, config).catch((error: unknown) => {
    throw reasonOf(error, outcome, isTransaction(db))
  }) as Promise<T>
}

/** How the work of a transaction has ended: an object around it, because anything can be thrown. */
type Outcome<T> = { readonly answer: T } | { readonly error: unknown }

/**
 * Why a transaction was not committed. Drizzle before 1.0 has the error of a ROLLBACK that fails too hide the one that
 * led to it, which is how a connection that broke would look.
 */
function reasonOf(error: unknown, outcome: Outcome<unknown> | undefined, isNested: boolean): unknown {
  if (outcome && 'error' in outcome) return outcome.error
  if (isNested || !isUnavailable(error)) return error
  const cause = driverError(error)
  const message = outcome
    ? 'the connection was lost at COMMIT: whether the transaction was committed is not known'
    : `cannot BEGIN: the database is not available (${(cause as Error).message})`
  const sqlState = sqlStateOf(error)
  return new PgqError('DATABASE_UNAVAILABLE', message, { cause, ...(sqlState !== undefined && { sqlState }) })
}

function jobsOn(pgq: Pgq, drizzleTx: DrizzleExecutor, guard: EnqueueGuard): TransactionJobs {
  const tx = fromDrizzle(drizzleTx)
  return {
    enqueue: (queue, payload, options) =>
      guard.watch(() => pgq.enqueue(queue, payload, { ...options, tx }).catch(rethrow)),
    enqueueMany: (queue, payloads, options) =>
      guard.watch(() => pgq.enqueueMany(queue, payloads, { ...options, tx }).catch(rethrow)),
  }
}

/** Has an enqueue after a statement that failed say the same as the COMMIT would. */
function rethrow(error: unknown): never {
  throw sqlStateOf(error) === '25P02' ? brokenTransaction('enqueue', driverError(error)) : error
}

function assertDatabase(db: unknown): void {
  if (typeof db === 'object' && db !== null && 'transaction' in db && typeof db.transaction === 'function')
    return
  throw new PgqError(
    'INVALID_OPTION',
    `transaction was given ${show(db)} as its db: pass a Drizzle db, or a transaction of one to nest in`,
  )
}
