import type { Transaction } from '@pgq/core'

/** What Drizzle itself says around a transaction, word for word; core says it instead. */
const FRAME = new Set(['begin', 'commit', 'rollback'])

/**
 * Looks to Drizzle like a client of `pg`, and sends everything into the transaction of a handler. Drizzle begins and ends
 * a transaction around what it is given to run: these statements go nowhere, since core begins the transaction with its
 * first query and commits it together with the completion of the job. While the handler runs nothing is held back, so a
 * COMMIT of its own is refused by core.
 */
export class TransactionClient {
  readonly #tx: Transaction
  #inHandler = false

  constructor(tx: Transaction) {
    this.#tx = tx
  }

  /** Runs the handler's part, during which every statement is the handler's. */
  async around<T>(handler: () => Promise<T>): Promise<T> {
    this.#inHandler = true
    try {
      return await handler()
    } finally {
      this.#inHandler = false
    }
  }

  /** Takes what Drizzle gives to `pg`: text or a query config, and values. */
  query(query: string | { readonly text: string }, values?: unknown[]): Promise<unknown> {
    const text = typeof query === 'string' ? query : query.text
    if (!this.#inHandler && FRAME.has(text)) return Promise.resolve(NO_ROWS)
    return this.#tx.query(query as never, values)
  }
}

const NO_ROWS = { command: '', rowCount: 0, oid: 0, fields: [], rows: [] }
