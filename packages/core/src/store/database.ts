import type { Statement } from '../sql/statement.ts'
import type { Queryable } from './queryable.ts'

/** Runs statements. All values of a row come back as text or null, whatever type parsers an application has set. */
export interface Session {
  run<Params, Row>(statement: Statement<Params, Row>, params: Params): Promise<Row[]>
}

/** A session in a transaction, which can also run what is not a statement of ours. */
export interface TransactionSession extends Session {
  /** Runs one piece of text without parameters: DDL, SET LOCAL. */
  execute(text: string): Promise<void>
  /** False when a query has ended the transaction, as far as the driver can tell. */
  isOpen(): boolean
  /** The same transaction with the application's own type parsers, for code of the application. */
  readonly queryable: Queryable
}

/** The database, as the rest of the package sees it. */
export interface Database extends Session {
  /**
   * Runs `work` in a transaction: commits when it resolves, rolls back when it rejects.
   * @throws PgqError with `cause`; what `work` threw passes unchanged
   */
  transaction<T>(work: (session: TransactionSession) => Promise<T>): Promise<T>
  /** Closes the connections that are ours. A pool that was given to us stays open. */
  close(): Promise<void>
  /** Cuts the connections that are ours, whatever they are doing: nothing is waited for. */
  destroy(): void
}
