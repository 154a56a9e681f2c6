import type { Statement } from '../sql/statement.ts'
import type { Database, TransactionSession } from '../store/database.ts'

/**
 * The database as maintenance may use it: one thing at a time, and no wait for a lock that is longer than a moment. What
 * somebody has locked is looked at again later; meanwhile the worker needs its connections for claiming and settling.
 */
export class ModestDatabase implements Database {
  readonly #database: Database
  readonly #lockTimeoutMs: number
  #before: Promise<unknown> = Promise.resolve()

  constructor(database: Database, lockTimeoutMs: number) {
    this.#database = database
    this.#lockTimeoutMs = lockTimeoutMs
  }

  run<Params, Row>(statement: Statement<Params, Row>, params: Params): Promise<Row[]> {
    return this.transaction((session) => session.run(statement, params))
  }

  transaction<T>(work: (session: TransactionSession) => Promise<T>): Promise<T> {
    const done = this.#before.then(() =>
      this.#database.transaction(async (session) => {
        await session.execute(`SET LOCAL lock_timeout = ${Math.round(this.#lockTimeoutMs)}`)
        return work(session)
      }),
    )
    this.#before = done.catch(() => {}) // whoever asked has the error
    return done
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  destroy(): void {
    this.#database.destroy()
  }
}
