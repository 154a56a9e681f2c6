/**
 * Anything that runs SQL for us in a transaction of yours: a `pg` client as it is, or a few lines around another
 * driver. `values` are only ever text, numbers, booleans and null.
 */
export interface Queryable {
  // oxlint-disable-next-line typescript/no-explicit-any -- drivers type their rows and values in ways of their own
  query(text: string, values?: any[]): PromiseLike<{ readonly rows: any[] }>
}

/** A transaction that we opened for you, on a connection of `pg`. It ends by itself: do not send COMMIT or ROLLBACK. */
export interface Transaction extends Queryable {
  // oxlint-disable-next-line typescript/no-explicit-any -- only you know what your columns are
  query(text: string, values?: any[]): Promise<{ readonly rows: any[] }>
}
