import {
  type AnyQueue,
  type EnqueueOptions,
  type EnqueueResult,
  type InputOf,
  type Pgq,
  PgqError,
} from '@pgq/core'
import { show } from '@pgq/core/options'
import { assertWhole } from './whole-transaction.ts'
import type { DrizzleDatabase, TransactionConfigOf, TransactionOf } from './drizzle-database.ts'
import { EnqueueGuard } from './enqueue-guard.ts'
import { type DrizzleExecutor, fromDrizzle } from './from-drizzle.ts'

/** Enqueues in one transaction, as long as it is open. */
export interface TransactionJobs {
  /**
   * Writes one job, as `pgq.enqueue` does.
   * @throws PgqError as `pgq.enqueue`; TRANSACTION_CLOSED after the end
   */
  enqueue<Q extends AnyQueue>(
    queue: Q,
    payload: InputOf<Q>,
    options?: Omit<EnqueueOptions, 'tx'>,
  ): Promise<EnqueueResult>
  /**
   * Writes many jobs of one queue, all of them or none, as `pgq.enqueueMany` does.
   * @throws PgqError as `pgq.enqueueMany`; TRANSACTION_CLOSED after the end
   */
  enqueueMany<Q extends AnyQueue>(
    queue: Q,
    payloads: Iterable<InputOf<Q>>,
    options?: Omit<EnqueueOptions, 'tx'>,
  ): Promise<EnqueueResult[]>
}

/**
 * Runs `work` in a transaction of Drizzle's, with enqueues that cannot slip out of it. Those that nobody awaited are
 * waited for before COMMIT, and if one of them fails the transaction rolls back with its error; after the end they are
 * refused. When this resolves everything is committed: a statement that failed and was passed over rejects, where
 * Drizzle alone would resolve although PostgreSQL has rolled back.
 *
 * `db` is a database, or a transaction to nest this one in; `config` goes to Drizzle as it is.
 * @throws whatever `work` throws; PgqError DATABASE_REJECTED when a statement had failed
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
  const guarded = async (tx: TransactionOf<Db> & DrizzleExecutor): Promise<T> => {
    const guard = new EnqueueGuard()
    try {
      const answer = await work(tx, jobsOn(pgq, tx, guard))
      await guard.flush()
      await assertWhole(tx, guard.failure)
      return answer
    } finally {
      await guard.close()
    }
  }
  return db.transaction(guarded as never, config) as Promise<T>
}

function jobsOn(pgq: Pgq, drizzleTx: DrizzleExecutor, guard: EnqueueGuard): TransactionJobs {
  const tx = fromDrizzle(drizzleTx)
  return {
    enqueue: (queue, payload, options) => guard.watch(() => pgq.enqueue(queue, payload, { ...options, tx })),
    enqueueMany: (queue, payloads, options) =>
      guard.watch(() => pgq.enqueueMany(queue, payloads, { ...options, tx })),
  }
}

function assertDatabase(db: unknown): void {
  if (typeof db === 'object' && db !== null && 'transaction' in db && typeof db.transaction === 'function')
    return
  throw new PgqError(
    'INVALID_OPTION',
    `transaction was given ${show(db)} as its db: pass a Drizzle db, or a transaction of one to nest in`,
  )
}
