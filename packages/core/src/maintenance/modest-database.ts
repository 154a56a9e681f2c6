import type { Statement } from '../sql/statement.ts'
import type { Database, TransactionSession } from '../store/database.ts'

/** How long a statement may take, in ms: shorter than whoever sent it waits for the answer, which is 30 s. */
const LONGEST_MS = 25_000

/**
 * The database as maintenance may use it: one thing at a time, and no wait for a lock that is longer than a moment. What
 * somebody has locked is looked at again later; meanwhile the worker needs its connections for claiming and settling.
 *
 * The server ends what takes too long. A statement that nobody waits for any more would go on there beside the next try, and its
 * snapshot would keep vacuum from the dead rows that make it slow: from some point on it would never get better.
 */
export class ModestDatabase implements Database {
  readonly #database: Database
  readonly #limits: string
  #before: Promise<unknown> = Promise.resolve()

  constructor(database: Database, lockTimeoutMs: number, longestMs: number = LONGEST_MS) {
    this.#database = database
    this.#limits = `SET LOCAL lock_timeout = ${Math.round(lockTimeoutMs)}; SET LOCAL statement_timeout = ${Math.round(longestMs)}`
  }

  run<Params, Row>(statement: Statement<Params, Row>, params: Params): Promise<Row[]> {
    return this.transaction((session) => session.run(statement, params))
  }

  transaction<T>(work: (session: TransactionSession) => Promise<T>): Promise<T> {
    const done = this.#before.then(() =>
      this.#database.transaction(async (session) => {
        await session.execute(this.#limits)
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
