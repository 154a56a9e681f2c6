import type { PgqError } from '../errors.ts'
import type { Json } from '../job/job.ts'
import type { Transaction } from '../store/queryable.ts'
import type { TransactionalJobContext } from './handler.ts'

/**
 * The context of one attempt. Its abort controller is made only when somebody looks at the signal: most handlers never
 * do, and making one costs more than all the rest of running a short job.
 */
export class AttemptContext implements TransactionalJobContext {
  readonly #attempt: { storeProgress(value: Json): Promise<void> }
  readonly #tx: Transaction | undefined
  #controller: AbortController | undefined
  #reason: PgqError | undefined

  constructor(attempt: { storeProgress(value: Json): Promise<void> }, tx?: Transaction) {
    this.#attempt = attempt
    this.#tx = tx
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get tx(): Transaction {
    if (this.#tx) return this.#tx
    throw new TypeError(
      'ctx.tx exists in transactional handlers only: handle(queue, run, { transactional: true })',
    )
  }

  progress(value: Json): Promise<void> {
    return this.#attempt.storeProgress(value)
  }

  /** Why the attempt should end early, if it should. */
  get aborted(): PgqError | undefined {
    return this.#reason
  }

  /** Aborts the signal; the first reason stands. */
  abort(reason: PgqError): void {
    if (this.#reason) return
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
