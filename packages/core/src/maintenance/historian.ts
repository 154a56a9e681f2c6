import type { Events } from '../events.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { AnswerStore } from '../store/answer-store.ts'
import type { QueueStore } from '../store/queue-store.ts'
import type { HistoryStore } from '../store/history-store.ts'

/** How long ended jobs are kept, in ms. */
interface Retention {
  readonly completedMs: number
  readonly deadMs: number
}

/** What keeping the history needs from outside. */
export interface HistorianDeps {
  readonly database: Database
  readonly store: HistoryStore
  readonly answers: AnswerStore
  readonly events: Events
  readonly queues: QueueStore
  readonly retention: Retention
}

const EVERY_MS = 3_600_000
/** While there is more to delete, wait only this long, in ms: others get their turn in between. */
const NEXT_BATCH_MS = 250
/** How many rows one DELETE takes. */
const BATCH = 1_000

/** Makes the partitions of the days to come, drops those past their retention, and deletes old dead jobs, expired answers, unique keys and rates in small bites. */
export class Historian implements Service {
  readonly #deps: HistorianDeps
  readonly #loop: Loop

  constructor(deps: HistorianDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#pass(),
      onError: (error) => deps.events.emit('error', { where: 'keeping the history', error }),
      pauseMs: 5_000,
      maxPauseMs: 60_000,
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #pass(): Promise<number> {
    const { database, store, answers, queues, events, retention } = this.#deps
    await store.makeDays(database)
    const days = await store.dropDays(database, retention.completedMs)
    const jobs = await store.deleteExpired(database, retention, BATCH)
    if (days.length > 0 || jobs > 0) events.emit('history.dropped', { days, jobs })
    const expired = await answers.deleteExpired(database, BATCH)
    const keys = await store.deleteExpiredKeys(database, BATCH)
    const rates = await queues.forgetRates(database, BATCH)
    return Math.max(jobs, expired, keys, rates) >= BATCH ? NEXT_BATCH_MS : EVERY_MS
  }
}
