/**
 * Anything that runs SQL for us in a transaction of yours: a `pg` client as it is, or a few lines around another
 * driver. `values` are only ever text, numbers, booleans and null.
 */
export interface Queryable {
  // oxlint-disable-next-line typescript/no-explicit-any -- drivers type their rows and values in ways of their own
  query(text: string, values?: any[]): PromiseLike<{ readonly rows: any[] }>
}
