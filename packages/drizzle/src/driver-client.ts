/** What is looked at in the drivers' clients under Drizzle: all of it is optional, since each driver has its own. */
export interface DriverClient {
  /** `pg`: what the server said last. `I` is for idle, `T` for in a transaction, `E` for in a failed one. */
  readonly getTransactionStatus?: () => string | null
  /** `pg`: false while it waits for the server to end its answer. */
  readonly readyForQuery?: boolean
  /** `pg`: gives the connection back to its pool; made anew each time that it is taken out. */
  readonly release?: unknown
  /** PGlite: whether the transaction has ended. */
  readonly closed?: unknown
  /** postgres.js: only transactions have it. */
  readonly savepoint?: unknown
}

/** The driver's client that a `db` or a transaction of Drizzle sends its statements to, if it can be seen. */
export function driverClient(db: object): DriverClient | undefined {
  const { _: internals } = db as { _?: { session?: { client?: DriverClient } } }
  return internals?.session?.client
}
