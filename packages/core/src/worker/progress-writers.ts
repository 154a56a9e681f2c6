import type { Database } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Attempt } from './attempt.ts'
import { ProgressWriter } from './progress.ts'
import { claimOf } from './settlement.ts'

/** The writers of those attempts that have reported something. */
export class ProgressWriters {
  readonly #database: Database
  readonly #store: JobStore
  readonly #writers = new WeakMap<Attempt, ProgressWriter>()

  constructor(database: Database, store: JobStore) {
    this.#database = database
    this.#store = store
  }

  of(attempt: Attempt): ProgressWriter {
    const known = this.#writers.get(attempt)
    if (known) return known
    const writer = new ProgressWriter(this.#database, this.#store, claimOf(attempt))
    this.#writers.set(attempt, writer)
    return writer
  }
}
