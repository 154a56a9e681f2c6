import type pg from 'pg'

/**
 * Anything that runs SQL for us in a transaction of yours: a `pg` client as it is, or a few lines around another
 * driver. `values` are only ever text, numbers, booleans and null.
 */
export interface Queryable {
  // oxlint-disable-next-line typescript/no-explicit-any -- drivers type their rows and values in ways of their own
  query(text: string, values?: any[]): PromiseLike<{ readonly rows: any[] }>
  /**
   * What the server last said of the transaction, as the clients of `pg` tell it: 'T' for open, 'E' for failed, 'I' for none. An enqueue
   * is refused while there is none. Leave it out if the driver can't tell.
   */
  getTransactionStatus?(): string | null
  /** True when this is no transaction, and each statement commits by itself. @default false */
  readonly autocommit?: boolean
}

/** A transaction that we opened for you, on a connection of `pg`. It ends by itself: do not send COMMIT or ROLLBACK. */
export interface Transaction extends Queryable {
  // oxlint-disable-next-line typescript/no-explicit-any -- only you know what your columns are
  query(text: string, values?: any[]): Promise<{ readonly rows: any[] }>
  /** The form in which other libraries query a client of `pg`, with everything that it returns. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as in the types of pg
  query(config: pg.QueryConfig, values?: any[]): Promise<pg.QueryResult>
  // oxlint-disable-next-line typescript/no-explicit-any -- as in the types of pg
  query(config: pg.QueryArrayConfig, values?: any[]): Promise<pg.QueryArrayResult>
}
