import { PgqError } from '../errors.ts'
import type { Queryable, Transaction } from './queryable.ts'

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
}

/** Wraps a connection for the length of one transaction. */
export function guardTransaction(inner: Queryable): GuardedTransaction {
  const underWay = new Set<Promise<unknown>>()
  let closed = false
  return {
    tx: {
      query: async (text, values) => {
        if (closed)
          throw new PgqError(
            'TRANSACTION_CLOSED',
            'the transaction has ended: await every query and every enqueue inside it',
          )
        const query = Promise.resolve(inner.query(text, values))
        underWay.add(query)
        try {
          return await query
        } finally {
          underWay.delete(query)
        }
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
