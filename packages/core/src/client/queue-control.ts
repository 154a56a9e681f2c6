import { checkLimits, type QueueLimits } from '../job/limits.ts'
import type { AnyQueue } from '../job/queue.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { knownOptions, textOption } from '../runtime/options.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import { QueueStore } from '../store/queue-store.ts'
import { nameOf } from './filter.ts'

/** Which of the jobs to hold back, and for how long. */
export interface HoldOptions {
  /** 0 to 100 years. The longest of several holds counts; 0 lifts the hold. */
  readonly for: Duration
  /** Only this group. @default the whole queue */
  readonly group?: string
}

/** How long to wait for claims that began before a change, in ms: they take a few, and one that hangs is not waited for. */
const CLAIMS_PATIENCE_MS = 2_000
/** The pause between two looks at them, in ms. */
const LOOK_EVERY_MS = 2

/** Changes how a queue is claimed from, by all workers. */
export class QueueControl {
  readonly #database: Database
  readonly #store: QueueStore

  constructor(deps: { database: Database; tables: Tables }) {
    this.#database = deps.database
    this.#store = new QueueStore(deps.tables)
  }

  async pause(queue: AnyQueue | string, options: { readonly reason?: string }): Promise<boolean> {
    knownOptions('pause', options, ['reason'])
    const reason = options.reason === undefined ? null : textOption('reason', options.reason, 1_000)
    const changed = await this.#store.pause(this.#database, nameOf(queue), reason)
    await this.#claimsHaveSeen()
    return changed
  }

  async resume(queue: AnyQueue | string): Promise<boolean> {
    return this.#store.resume(this.#database, nameOf(queue))
  }

  async setLimits(queue: AnyQueue | string, limits: QueueLimits): Promise<void> {
    const name = nameOf(queue)
    const checked = checkLimits(limits)
    await this.#store.setLimits(this.#database, name, checked)
    if (checked.concurrency === null && checked.groupConcurrency === null) return
    await this.#claimsHaveSeen()
    await this.#store.countRunning(this.#database, name)
  }

  async holdBack(queue: AnyQueue | string, options: HoldOptions): Promise<void> {
    knownOptions('holdBack', options, ['for', 'group'])
    const group = options.group === undefined ? null : textOption('group', options.group, 500)
    await this.#store.holdBack(this.#database, nameOf(queue), group, durationMs('for', options.for))
  }

  /** Resolves when no claim is under way any more that began before this call. */
  async #claimsHaveSeen(): Promise<void> {
    const before = await this.#store.claimsUnderWay(this.#database)
    for (const end = performance.now() + CLAIMS_PATIENCE_MS; before.size > 0 && performance.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      const now = await this.#store.claimsUnderWay(this.#database)
      for (const claim of before) if (!now.has(claim)) before.delete(claim)
    }
  }
}
