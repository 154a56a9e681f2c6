import { lookCheaply } from '../sql/look-cheaply.ts'
import { type SurveyRow, surveyQueues } from '../sql/survey-queues.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from './database.ts'

/** A count that ends at a limit. */
export interface BoundedCount {
  readonly jobs: number
  /** There are more than `jobs`: counting ended there. */
  readonly isMore: boolean
}

/** How a queue stands. */
export interface QueueSurvey {
  readonly queue: string
  /** Jobs that could run now. */
  readonly due: BoundedCount
  /** Jobs that wait for their time: delayed ones, and failed ones between two attempts. */
  readonly delayed: BoundedCount
  /** How many of those that were counted as delayed have failed before. */
  readonly failed: number
  readonly processing: number
  readonly dead: BoundedCount
  readonly cancelled: BoundedCount
  /** How long the longest due job has been waiting, in ms by the database's clock; null when none is due. */
  readonly oldestDueMs: number | null
  /** Since when it is paused; null when it is not. */
  readonly pausedAt: Date | null
  /** Why, if whoever paused it said so. */
  readonly pausedReason: string | null
  /** How many live workers have a handler for it. */
  readonly workers: number
}

/** Counts end here. */
const LIMIT = 10_000
/** No look takes longer, in ms. */
const TIMEOUT_MS = 10_000

/** Looks at the queues and changes nothing. */
export class QueueReader {
  readonly #survey

  constructor(tables: Tables) {
    this.#survey = surveyQueues(tables)
  }

  /** The queues, by name. Its plan walks indexes whatever the statistics say. */
  async survey(database: Database): Promise<QueueSurvey[]> {
    const rows = await database.transaction(async (session) => {
      await session.run(lookCheaply, { timeoutMs: TIMEOUT_MS })
      return session.run(this.#survey, { limit: LIMIT + 1 })
    })
    return rows.map(queueSurvey).toSorted((a, b) => (a.queue < b.queue ? -1 : 1))
  }
}

const queueSurvey = (row: SurveyRow): QueueSurvey => ({
  queue: row.queue_name,
  due: bounded(row.due),
  delayed: bounded(row.delayed),
  failed: Number(row.failed),
  processing: Number(row.processing),
  dead: bounded(row.dead),
  cancelled: bounded(row.cancelled),
  oldestDueMs: row.oldest_due_ms === null ? null : Number(row.oldest_due_ms),
  pausedAt: row.paused_ms === null ? null : new Date(Number(row.paused_ms)),
  pausedReason: row.paused_reason,
  workers: Number(row.workers),
})

function bounded(text: string): BoundedCount {
  const counted = Number(text)
  return { jobs: Math.min(LIMIT, counted), isMore: counted > LIMIT }
}
