import { checkLimits, type QueueLimits } from '../job/limits.ts'
import type { AnyQueue } from '../job/queue.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { knownOptions, textOption } from '../runtime/options.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import { claimsHaveSeen, enforceLimits } from '../store/enforce-limits.ts'
import { QueueStore } from '../store/queue-store.ts'
import { nameOf } from './filter.ts'

/** Which of the jobs to hold back, and for how long. */
export interface HoldOptions {
  /** 0 to 100 years. The longest of several holds counts; 0 lifts the hold. */
  readonly for: Duration
  /** Only this group. @default the whole queue */
  readonly group?: string
}

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
    await claimsHaveSeen(this.#database, this.#store)
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
    await enforceLimits(this.#database, this.#store, name)
  }

  async holdBack(queue: AnyQueue | string, options: HoldOptions): Promise<void> {
    knownOptions('holdBack', options, ['for', 'group'])
    const group = options.group === undefined ? null : textOption('group', options.group, 500)
    await this.#store.holdBack(this.#database, nameOf(queue), group, durationMs('for', options.for))
  }
}
