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
  type TransactionalJobContext,
} from '@pgq/core'
import { show } from '@pgq/core/options'
import type { NodePgClient } from 'drizzle-orm/node-postgres'
import { driverClient } from './driver-client.ts'
import { driverErrorWithFrames } from './driver-error.ts'
import type { DrizzleDatabase, TransactionOf } from './drizzle-database.ts'
import { TransactionClient } from './transaction-client.ts'

/** What a handler with Drizzle gets beside its job. */
export interface DrizzleJobContext<Db extends DrizzleDatabase> extends JobContext {
  /**
   * A transaction of your Drizzle: what is written through it and the completion of the job commit together, or not at
   * all. It begins with its first query, so do the waiting for other systems before.
   */
  readonly tx: TransactionOf<Db>
}

/** `handle`, with handlers whose transaction is one of Drizzle's. */
export interface HandleWithDrizzle<Db extends DrizzleDatabase> {
  /**
   * Ties a function to a queue, as core's `handle` does. Give what it returns to `createWorker`.
   * @throws PgqError INVALID_QUEUE, INVALID_OPTION
   */
  <Q extends AnyQueue>(
    queue: Q,
    run: (job: Job<PayloadOf<Q>>, ctx: DrizzleJobContext<Db>) => ResultOf<Q> | Promise<ResultOf<Q>>,
    options?: Omit<HandlerOptions, 'transactional'>,
  ): Handler
}

/**
 * Makes a `handle` whose handlers run in a transaction of your Drizzle that completes the job: what they write through
 * `ctx.tx` happens exactly once. `ctx.tx.rollback()` fails the attempt as any error does; nested transactions are
 * savepoints, and can be rolled back alone.
 *
 * `db` makes the Drizzle of one attempt on the connection that it is given, and must not open anything. It is that of
 * `drizzle-orm/node-postgres`, since that is what workers speak, whatever the rest of the application uses.
 * @throws PgqError INVALID_OPTION
 * @example
 * const handle = handleWithDrizzle((client) => drizzle({ client, schema }))
 * const posting = handle(postings, async (job, { tx }) => {
 *   await tx.insert(ledger).values({ paymentId: job.payload.paymentId, amount: job.payload.amount })
 * })
 */
export function handleWithDrizzle<Db extends DrizzleDatabase>(
  db: (client: NodePgClient) => Db,
): HandleWithDrizzle<Db> {
  assertFunction('db of handleWithDrizzle', db, '(client) => drizzle({ client, schema })')
  return (queue, run, options = {}) => {
    assertFunction(`the handler of queue ${JSON.stringify(queue?.name)}`, run, '(job, ctx) => …')
    if ('transactional' in options) {
      throw new PgqError(
        'INVALID_OPTION',
        'a handler with Drizzle is transactional in any case: leave the option out',
      )
    }
    return handle(queue, (job, ctx) => inDrizzle(db, ctx, (own) => run(job, own)), {
      ...options,
      transactional: true,
    })
  }
}

/** Lets Drizzle make its transaction of the one that core has opened, or will with the first query. */
function inDrizzle<Db extends DrizzleDatabase, Result>(
  db: (client: NodePgClient) => Db,
  ctx: TransactionalJobContext,
  run: (ctx: DrizzleJobContext<Db>) => Result | Promise<Result>,
): Promise<Result> {
  const client = new TransactionClient(ctx.tx)
  const made = db(client as unknown as NodePgClient)
  assertOn(client, made)
  const ran = made.transaction((tx: TransactionOf<Db>) =>
    client.around(async () => run(withTransaction(ctx, tx))),
  ) as Promise<Result>
  return ran.catch((error: unknown) => {
    // Drizzle's error quotes the values of the query, and what a handler throws is stored with its job.
    throw driverErrorWithFrames(error)
  })
}

/** A Drizzle on another connection would write, commit, and know nothing of the job. */
function assertOn(client: TransactionClient, made: unknown): void {
  if (typeof made === 'object' && made !== null && driverClient(made) === client) return
  throw new PgqError(
    'INVALID_OPTION',
    `db of handleWithDrizzle has made ${show(made)} that is not on the connection it was given: write (client) => drizzle({ client, schema })`,
  )
}

function assertFunction(what: string, value: unknown, like: string): void {
  if (typeof value === 'function') return
  throw new PgqError('INVALID_OPTION', `${what} is ${show(value)}: it must be a function ${like}`)
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
