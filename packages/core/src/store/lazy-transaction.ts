import type { Database, TransactionSession } from './database.ts'
import type { Queryable } from './queryable.ts'

/**
 * A transaction that begins with its first query: a handler that first waits for another system holds no connection, and
 * no snapshot, while it does.
 */
export class LazyTransaction implements Queryable {
  readonly #database: Database
  #session: Promise<TransactionSession> | undefined
  #ended: Promise<void> | undefined
  #last: (work: (session: TransactionSession) => Promise<void>) => void = () => {}
  #beginError: unknown

  constructor(database: Database) {
    this.#database = database
  }

  /** Whether there was a query. */
  get isBegun(): boolean {
    return this.#session !== undefined
  }

  /** Why there is no transaction, if it could not begin. */
  get beginError(): unknown {
    return this.#beginError
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- passed through as it is
  async query(...query: Parameters<Queryable['query']>): Promise<{ readonly rows: any[] }> {
    const session = await this.#begin()
    return session.queryable.query(...query)
  }

  /** Does the last thing in the transaction and commits; rejects, and has rolled back, when either fails. */
  async commit(last: (session: TransactionSession) => Promise<void>): Promise<void> {
    await this.#begin()
    this.#last(last)
    await this.#ended
  }

  /** Ends the transaction without a trace, if it has begun. */
  async rollBack(): Promise<void> {
    this.#last(() => Promise.reject(new Error('rolled back on purpose')))
    await this.#ended?.catch(() => {})
  }

  #begin(): Promise<TransactionSession> {
    this.#session ??= new Promise((resolve, reject) => {
      const last = new Promise<(session: TransactionSession) => Promise<void>>((end) => {
        this.#last = end
      })
      let begun = false
      this.#ended = this.#database.transaction(async (session) => {
        begun = true
        resolve(session)
        await (
          await last
        )(session)
      })
      this.#ended.catch((error: unknown) => {
        if (!begun) this.#beginError = error
        reject(error)
      })
    })
    return this.#session
  }
}
