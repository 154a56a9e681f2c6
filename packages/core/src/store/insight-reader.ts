import { groupDead } from '../sql/group-dead.ts'
import { type PeriodRow, readMinutes } from '../sql/queue-minutes.ts'
import type { JobRow } from '../sql/read-jobs.ts'
import {
  countMatches,
  type SearchedPlace,
  type SearchedRow,
  searchJobs,
  type SearchParams,
} from '../sql/search-jobs.ts'
import type { Statement, Tables } from '../sql/statement.ts'
import type { JobRecord } from '../job/job.ts'
import { lookBounded } from './bounded-look.ts'
import type { Database } from './database.ts'
import { jobRecord } from './job-reader.ts'

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

/** Statements whose cost has a bound, whatever the tables hold. */
export class InsightReader {
  readonly #database: Database
  readonly #statements

  constructor(deps: { database: Database; tables: Tables }) {
    const { tables } = deps
    this.#database = deps.database
    this.#statements = {
      minutes: readMinutes(tables),
      search: { all: searchJobs(tables), ended: searchJobs(tables, 'ended') },
      count: { all: countMatches(tables), ended: countMatches(tables, 'ended') },
      dead: groupDead(tables),
    }
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
    return lookBounded(this.#database, statement, params)
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
