import {
  type AnyQueue,
  type Handler,
  handle,
  type HandlerOptions,
  type Job,
  type JobContext,
  type PayloadOf,
  PgqError,
  type ResultOf,
} from '@pgq/core'
import type { NodePgClient } from 'drizzle-orm/node-postgres'
import type { DrizzleDatabase, TransactionOf } from './drizzle-database.ts'
import { TransactionClient } from './transaction-client.ts'

/** What a handler of `handleWithDrizzle` gets beside its job. */
export interface DrizzleJobContext<Db extends DrizzleDatabase> extends JobContext {
  /**
   * A transaction of your Drizzle: what is written through it and the completion of the job commit together, or not at
   * all. It begins with its first query, so do the waiting for other systems before.
   */
  readonly tx: TransactionOf<Db>
}

/** How a worker runs a handler, and how its Drizzle is made. */
export interface DrizzleHandlerOptions<Db extends DrizzleDatabase> extends Omit<
  HandlerOptions,
  'transactional'
> {
  /**
   * Makes the Drizzle of one attempt: `(client) => drizzle({ client, schema })`, with the `drizzle` of
   * `drizzle-orm/node-postgres`, since that is what workers speak, whatever the rest of the application uses. It is called
   * for each attempt, and must not open anything.
   */
  readonly db: (client: NodePgClient) => Db
}

/**
 * Ties a function to a queue, as `handle` does, in a transaction of Drizzle's that completes the job: its database effects
 * happen exactly once. Give what it returns to `createWorker`.
 *
 * `ctx.tx.rollback()` fails the attempt as any error does. Nested transactions are savepoints, and can be rolled back alone.
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 * @example
 * handleWithDrizzle(postings, async (job, { tx }) => {
 *   await tx.insert(ledger).values({ paymentId: job.payload.paymentId, amount: job.payload.amount })
 * }, { db: (client) => drizzle({ client, schema }) })
 */
export function handleWithDrizzle<Q extends AnyQueue, Db extends DrizzleDatabase>(
  queue: Q,
  run: (job: Job<PayloadOf<Q>>, ctx: DrizzleJobContext<Db>) => ResultOf<Q> | Promise<ResultOf<Q>>,
  options: DrizzleHandlerOptions<Db>,
): Handler {
  const { db, ...others } = options ?? {}
  if (typeof run !== 'function') {
    throw new PgqError(
      'INVALID_OPTION',
      `the handler of handleWithDrizzle is ${String(run)}: it must be a function (job, ctx) => …`,
    )
  }
  if (typeof db !== 'function') {
    throw new PgqError(
      'INVALID_OPTION',
      `db of handleWithDrizzle is ${String(db)}: it must be a function (client) => drizzle({ client })`,
    )
  }
  return handle(
    queue,
    async (job, ctx) => {
      const client = new TransactionClient(ctx.tx)
      const inTransaction = (tx: TransactionOf<Db>): Promise<ResultOf<Q>> =>
        client.around(async () => run(job, withTransaction(ctx, tx)))
      return db(client as unknown as NodePgClient).transaction(inTransaction as never) as Promise<ResultOf<Q>>
    },
    { ...others, transactional: true },
  )
}

/** The signal is made when somebody asks for it, so it is passed on by a getter. */
const withTransaction = <Db extends DrizzleDatabase>(
  ctx: JobContext,
  tx: TransactionOf<Db>,
): DrizzleJobContext<Db> => ({
  get signal() {
    return ctx.signal
  },
  progress: (value) => ctx.progress(value),
  tx,
})
