import { PgqError } from '../errors.ts'
import type { Database } from './database.ts'
import type { Queryable, Transaction } from './queryable.ts'
import { endsTransaction } from './transaction-words.ts'

/**
 * Guards a transaction against floating promises: work that nobody awaits is waited for before COMMIT, and what comes
 * after the end is refused instead of running outside the transaction.
 */
export interface GuardedTransaction {
  readonly tx: Transaction
  /** Waits for every query under way. What became of them shows at COMMIT: a transaction with a failed query rolls back. */
  flush(): Promise<void>
  /** Refuses every further query. */
  close(): void
  /** Why the first query failed, if one did: what comes after it in the transaction only hears of the consequence. */
  readonly failure: unknown
}

/** Wraps a connection for the length of one transaction. */
export function guardTransaction(inner: Queryable): GuardedTransaction {
  const underWay = new Set<Promise<unknown>>()
  let closed = false
  let failure: unknown
  return {
    get failure() {
      return failure
    },
    tx: {
      // oxlint-disable-next-line typescript/no-explicit-any -- it answers what the driver answers
      query(...query: [any, any[]?]): Promise<any> {
        const refusal = refuse(query[0], closed)
        const answer = refusal ? Promise.reject(refusal) : Promise.resolve(inner.query(...query))
        underWay.add(answer)
        // A query that nobody awaits must not end the process when it fails: the transaction fails instead.
        answer.then(
          () => underWay.delete(answer),
          (error: unknown) => {
            underWay.delete(answer)
            failure ??= error
          },
        )
        return answer
      },
    },
    async flush() {
      while (underWay.size > 0) {
        await Promise.allSettled(underWay)
        // What somebody waits for may send the next query now, as an enqueue that validates asynchronously does.
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    close() {
      closed = true
    },
  }
}

/** Runs `work` in a guarded transaction of its own, and commits when it resolves. */
export function runGuarded<T>(database: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return database.transaction(async (session) => {
    const guard = guardTransaction(session.queryable)
    try {
      const answer = await work(guard.tx)
      await guard.flush()
      return answer
    } finally {
      guard.close()
    }
  })
}

/** A query is a text, or a config of `pg` that has one. */
function refuse(query: unknown, closed: boolean): PgqError | undefined {
  if (closed) {
    return new PgqError(
      'TRANSACTION_CLOSED',
      'the transaction has ended: await every query and every enqueue inside it',
    )
  }
  const text = typeof query === 'object' && query !== null && 'text' in query ? query.text : query
  if (typeof text !== 'string' || !endsTransaction(text)) return undefined
  return new PgqError(
    'INVALID_OPTION',
    `the transaction begins and ends by itself: throw to roll back instead of sending ${text.trim()}`,
  )
}
