import type { Json } from '../job/job.ts'
import { recordValue } from '../job/recorded.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { Database } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'
import { leaseLost } from './settler.ts'

/**
 * Writes the progress of one attempt. While a write is under way newer values replace each other, so that a handler
 * that reports in a tight loop costs one statement at a time.
 */
export class ProgressWriter {
  readonly #database: Database
  readonly #store: JobStore
  readonly #claim: Claim
  #next: { readonly value: Json } | undefined
  #writing: Promise<void> | undefined

  constructor(database: Database, store: JobStore, claim: Claim) {
    this.#database = database
    this.#store = store
    this.#claim = claim
  }

  /** Resolves when this value, or a newer one, is stored. */
  write(value: Json): Promise<void> {
    this.#next = { value }
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async #writeAll(): Promise<void> {
    while (this.#next) {
      const { value } = this.#next
      this.#next = undefined
      const json = recordValue(value).json ?? 'null'
      // A row that was updated while the statement waited for its lock is invisible to it: look twice before calling it lost.
      const stands =
        (await this.#store.storeProgress(this.#database, this.#claim, json)) ||
        (await this.#store.storeProgress(this.#database, this.#claim, json))
      if (!stands) throw leaseLost()
    }
  }
}
