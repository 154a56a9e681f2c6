import type { Json } from '../job/job.ts'
import { recordValue } from '../job/recorded.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { Database } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'
import { leaseLost } from './abort-reasons.ts'
import { writeWhileStanding } from './standing.ts'

/** While somebody has the row locked, how long a report is worth trying, in ms. */
const PATIENCE_MS = 10_000

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
    const written = (this.#writing ??= this.#writeAll())
    written.catch(() => {}) // a report that nobody awaits must not end the process
    return written
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#next) {
        const { value } = this.#next
        this.#next = undefined
        await this.#put(recordValue(value).json ?? 'null')
      }
    } finally {
      // In the same turn as the last look at what is next: a value that comes later finds no writer, and starts one.
      this.#writing = undefined
    }
  }

  async #put(json: string): Promise<void> {
    const deps = { session: this.#database, store: this.#store, patienceMs: PATIENCE_MS }
    const write = (): Promise<boolean> => this.#store.storeProgress(this.#database, this.#claim, json)
    if ((await writeWhileStanding(deps, this.#claim, write)) === 'lost') throw leaseLost()
  }
}
