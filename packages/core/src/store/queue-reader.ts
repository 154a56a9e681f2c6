import { type QueueRow, summarizeQueues } from '../sql/read-queues.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'

/** A queue, and what it holds that has not been completed. */
export interface QueueSummary {
  readonly name: string
  /** Since when it is paused; null while it is not. */
  readonly pausedAt: Date | null
  /** Why, if whoever paused it said so. */
  readonly pausedReason: string | null
  /** Jobs that wait and could run now. */
  readonly due: number
  /** Jobs that wait for their time. */
  readonly delayed: number
  /** Jobs that wait for their next attempt. */
  readonly failed: number
  readonly processing: number
  readonly dead: number
  /** How long the oldest due job has waited, in ms; null when none is due. */
  readonly oldestDueMs: number | null
  /** How many live workers have a handler for it. */
  readonly workers: number
}

/** Looks at the queues and changes nothing. */
export class QueueReader {
  readonly #summarize

  constructor(tables: Tables) {
    this.#summarize = summarizeQueues(tables)
  }

  async list(session: Session): Promise<QueueSummary[]> {
    return (await session.run(this.#summarize, undefined)).map(queueSummary)
  }
}

const queueSummary = (row: QueueRow): QueueSummary => ({
  name: row.name,
  pausedAt: row.paused_ms === null ? null : new Date(Number(row.paused_ms)),
  pausedReason: row.paused_reason,
  due: Number(row.due),
  delayed: Number(row.delayed),
  failed: Number(row.failed),
  processing: Number(row.processing),
  dead: Number(row.dead),
  oldestDueMs: row.oldest_due_ms === null ? null : Number(row.oldest_due_ms),
  workers: Number(row.workers),
})
