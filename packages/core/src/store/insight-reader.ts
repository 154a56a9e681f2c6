import { groupDead } from '../sql/group-dead.ts'
import { lookCheaply } from '../sql/look-cheaply.ts'
import { type PeriodRow, readMinutes } from '../sql/queue-minutes.ts'
import type { JobRow } from '../sql/read-jobs.ts'
import {
  countMatches,
  type SearchedPlace,
  type SearchedRow,
  searchJobs,
  type SearchParams,
} from '../sql/search-jobs.ts'
import { type SurveyRow, surveyQueues } from '../sql/survey-queues.ts'
import type { Statement, Tables } from '../sql/statement.ts'
import type { JobRecord } from '../job/job.ts'
import type { Database } from './database.ts'
import { jobRecord } from './job-reader.ts'

/** No look takes longer, in ms. */
const TIMEOUT_MS = 10_000

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
  readonly processing: number
  readonly dead: BoundedCount
  readonly cancelled: BoundedCount
  /** How long the longest due job has been waiting, in ms by the database's clock; null when none is due. */
  readonly oldestDueMs: number | null
  /** Since when it is paused; null when it is not. */
  readonly pausedAt: Date | null
  readonly pausedReason: string | null
}

/** What a queue did in one period. */
export interface QueuePeriod {
  readonly queue: string
  readonly startsAt: Date
  /** Attempts by how they ended: `failed` ones are run again. */
  readonly completed: number
  readonly failed: number
  readonly dead: number
  readonly cancelled: number
  /** How long those jobs were due before a worker took them, in ms, all together. */
  readonly waitedMs: number
  /** How long those attempts took, in ms, all together. */
  readonly ranMs: number
}

/** Dead jobs of a queue that died of the same error. */
export interface DeadGroup {
  readonly queue: string
  /** The message, with `#` for ids and numbers and `…` for what stood in quotes. */
  readonly pattern: string
  /** The message of the newest of them, up to 1,000 characters. */
  readonly sample: string
  readonly sampleId: string
  readonly jobs: number
  readonly firstAt: Date
  readonly lastAt: Date
}

/** How far one part of a search has come. */
export interface Looked {
  readonly rows: number
  readonly lastId: string | null
}

/** Statements whose cost has a bound, whatever the tables hold. Each runs in a transaction that forbids scans of tables. */
export class InsightReader {
  readonly #database: Database
  readonly #statements

  constructor(deps: { database: Database; tables: Tables }) {
    const { tables } = deps
    this.#database = deps.database
    this.#statements = {
      survey: surveyQueues(tables),
      minutes: readMinutes(tables),
      search: { all: searchJobs(tables), ended: searchJobs(tables, 'ended') },
      count: { all: countMatches(tables), ended: countMatches(tables, 'ended') },
      dead: groupDead(tables),
    }
  }

  async survey(limit: number): Promise<QueueSurvey[]> {
    const rows = await this.#look(this.#statements.survey, { limit: limit + 1 })
    return rows.map((row) => queueSurvey(row, limit))
  }

  async periods(params: { queue: string | null; sinceMs: number; periodMs: number }): Promise<QueuePeriod[]> {
    return (await this.#look(this.#statements.minutes, params)).map(queuePeriod)
  }

  async deadGroups(params: { queue: string | null; limit: number }): Promise<DeadGroup[]> {
    const rows = await this.#look(this.#statements.dead, params)
    return rows.map((row) => ({
      queue: row.queue_name,
      pattern: row.pattern,
      sample: row.sample,
      sampleId: row.sample_id,
      jobs: Number(row.jobs),
      firstAt: new Date(Number(row.first_ms)),
      lastAt: new Date(Number(row.last_ms)),
    }))
  }

  async search(params: SearchParams): Promise<{ readonly found: JobRecord[]; readonly looked: Looked }> {
    const rows = await this.#look(this.#statements.search[placeOf(params)], params)
    const found = rows.filter((row) => row.id !== null).map((row) => jobRecord(row as JobRow))
    return { found, looked: lookedOf(rows[0]) }
  }

  async count(params: SearchParams): Promise<{ readonly matches: number; readonly looked: Looked }> {
    const [row] = await this.#look(this.#statements.count[placeOf(params)], params)
    return { matches: Number(row?.matches ?? 0), looked: lookedOf(row) }
  }

  #look<Params, Row>(statement: Statement<Params, Row>, params: Params): Promise<Row[]> {
    return this.#database.transaction(async (session) => {
      await session.run(lookCheaply, { timeoutMs: TIMEOUT_MS })
      return session.run(statement, params)
    })
  }
}

function placeOf({ queue, statuses }: SearchParams): SearchedPlace {
  const [status, ...others] = statuses ?? []
  const isOneEnding = others.length === 0 && (status === 'dead' || status === 'cancelled')
  return queue !== null && isOneEnding ? 'ended' : 'all'
}

const lookedOf = (row: SearchedRow | undefined): Looked => ({
  rows: Number(row?.looked ?? 0),
  lastId: row?.last_id ?? null,
})

function queueSurvey(row: SurveyRow, limit: number): QueueSurvey {
  const bounded = (text: string): BoundedCount => ({
    jobs: Math.min(limit, Number(text)),
    isMore: Number(text) > limit,
  })
  return {
    queue: row.queue_name,
    due: bounded(row.due),
    delayed: bounded(row.delayed),
    processing: Number(row.processing),
    dead: bounded(row.dead),
    cancelled: bounded(row.cancelled),
    oldestDueMs: row.oldest_due_ms === null ? null : Number(row.oldest_due_ms),
    pausedAt: row.paused_ms === null ? null : new Date(Number(row.paused_ms)),
    pausedReason: row.paused_reason,
  }
}

const queuePeriod = (row: PeriodRow): QueuePeriod => ({
  queue: row.queue_name,
  startsAt: new Date(Number(row.start_ms)),
  completed: Number(row.completed),
  failed: Number(row.failed),
  dead: Number(row.dead),
  cancelled: Number(row.cancelled),
  waitedMs: Number(row.waited_ms),
  ranMs: Number(row.ran_ms),
})
