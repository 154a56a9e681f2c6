/** What transactions are begun on: a `db` of Drizzle's, or a transaction, whose transactions are savepoints. */
export interface DrizzleDatabase {
  // oxlint-disable-next-line typescript/no-explicit-any -- the types of Drizzle's own are taken from it below
  transaction(work: (tx: any) => Promise<any>, config?: any): Promise<any>
}

/** What a database of Drizzle's gives to the function that its `transaction` runs. */
export type TransactionOf<Db extends DrizzleDatabase> = Parameters<Parameters<Db['transaction']>[0]>[0]

/** What the `transaction` of a database of Drizzle's takes beside that function, such as its isolation level. */
export type TransactionConfigOf<Db extends DrizzleDatabase> = Parameters<Db['transaction']>[1]
