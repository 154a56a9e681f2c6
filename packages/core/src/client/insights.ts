import type { JobRecord } from '../job/job.ts'
import type { AnyQueue } from '../job/queue.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { integerOption, knownOptions } from '../runtime/options.ts'
import type { FindParams } from '../sql/read-jobs.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import { type DeadGroup, InsightReader, type Looked, type QueuePeriod } from '../store/insight-reader.ts'
import type { BoundedCount } from '../store/queue-reader.ts'
import { filterParams, type JobFilter, type ListOptions, nameOf, pageParams } from './filter.ts'

/** A page of a search. */
export interface SearchPage {
  /** The jobs that match, newest first; perhaps none, although there are some further back. */
  readonly jobs: readonly JobRecord[]
  /** Give it to the next call to look further back; undefined when there is nothing more. */
  readonly cursor: string | undefined
  /** How many rows were looked at. */
  readonly looked: number
}

/** What the queues did. */
export interface PeriodOptions {
  /** Only this queue. @default all */
  readonly queue?: AnyQueue | string
  /** How far to look back, 1 minute to 2 days. @default '1h' */
  readonly since?: Duration
  /** How long a period is, in whole minutes: 1 minute to 1 day. @default '1m' */
  readonly period?: Duration
}

/** Says that a call is under way, so that closing waits for it. */
type Call = <T>(work: () => Promise<T>) => Promise<T>

/** Rows that one statement of a search looks at. */
const ROWS = 2_000
/** A search that has found nothing yet ends after so long, in ms. */
const SEARCH_MS = 400
const COUNT_MS = 2_000
/** Counts end here. */
const MOST_COUNTED = 10_000
/** So many of the newest dead jobs are grouped. */
const MOST_GROUPED = 10_000
const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS
/** The longest time that can be asked for: minutes are kept for as long. */
const KEPT_MS = 2 * DAY_MS

/** Looks for people and dashboards, whose cost has a bound however many jobs there are: `pgq.insights`. */
export class Insights {
  readonly #reader: InsightReader
  readonly #call: Call

  /** Use `pgq.insights`. */
  constructor(deps: { database: Database; tables: Tables; call: Call }) {
    this.#reader = new InsightReader(deps)
    this.#call = deps.call
  }

  /**
   * What the queues did, period by period; periods in which nothing ended are left out. Workers write it down every 5 s, and one that is
   * killed takes what it has not written with it.
   * @throws PgqError INVALID_OPTION, INVALID_QUEUE
   */
  periods(options: PeriodOptions = {}): Promise<QueuePeriod[]> {
    return this.#call(async () => {
      knownOptions('periods', options, ['queue', 'since', 'period'])
      const periodMs = durationMs('period', options.period ?? '1m', { min: MINUTE_MS, max: DAY_MS })
      integerOption('period in minutes', periodMs / MINUTE_MS, 1, 1_440)
      return this.#reader.periods({
        queue: options.queue === undefined ? null : nameOf(options.queue),
        sinceMs: durationMs('since', options.since ?? '1h', { min: MINUTE_MS, max: KEPT_MS }),
        periodMs,
      })
    })
  }

  /**
   * A page of the jobs that match, newest first, as `list` gives it; but where matches are rare it stops after some 0.4 s, with a cursor
   * to look further back.
   * @throws PgqError INVALID_OPTION, INVALID_QUEUE
   */
  search(options: ListOptions = {}): Promise<SearchPage> {
    return this.#call(async () => {
      const params = pageParams(options)
      const jobs: JobRecord[] = []
      const end = await this.#lookBack(params, SEARCH_MS, async (part) => {
        const { found, looked } = await this.#reader.search({
          ...part,
          limit: params.limit + 1 - jobs.length,
        })
        jobs.push(...found)
        return { looked, isEnough: jobs.length > params.limit }
      })
      const page = jobs.slice(0, params.limit)
      return {
        jobs: page,
        cursor: jobs.length > page.length ? page.at(-1)?.id : end.cursor,
        looked: end.looked,
      }
    })
  }

  /**
   * How many jobs match, up to 10,000. `isMore` is true as well when it took more than 2 s.
   * @throws PgqError INVALID_OPTION, INVALID_QUEUE
   */
  count(filter: JobFilter): Promise<BoundedCount> {
    return this.#call(async () => {
      const params = filterParams('count', filter, MOST_COUNTED + 1)
      let jobs = 0
      const end = await this.#lookBack(params, COUNT_MS, async (part) => {
        const { matches, looked } = await this.#reader.count({ ...part, limit: MOST_COUNTED + 1 - jobs })
        jobs += matches
        return { looked, isEnough: jobs > MOST_COUNTED }
      })
      return { jobs: Math.min(jobs, MOST_COUNTED), isMore: jobs > MOST_COUNTED || end.cursor !== undefined }
    })
  }

  /** The newest 10,000 jobs that ended dead or cancelled: the dead ones by queue and by error, 200 groups at the most, the largest first. */
  deadGroups(options: { readonly queue?: AnyQueue | string } = {}): Promise<DeadGroup[]> {
    return this.#call(async () => {
      knownOptions('deadGroups', options, ['queue'])
      const queue = options.queue === undefined ? null : nameOf(options.queue)
      return this.#reader.deadGroups({ queue, limit: MOST_GROUPED })
    })
  }

  /** Looks at one part after another until it is enough, or took too long, or there is nothing left. */
  async #lookBack(
    params: FindParams,
    withinMs: number,
    look: (part: FindParams & { rows: number }) => Promise<{ looked: Looked; isEnough: boolean }>,
  ): Promise<{ readonly cursor: string | undefined; readonly looked: number }> {
    let after = params.after
    let total = 0
    for (const endMs = performance.now() + withinMs; ;) {
      const { looked, isEnough } = await look({ ...params, after, rows: ROWS })
      total += looked.rows
      after = looked.lastId
      if (looked.rows < ROWS) return { cursor: undefined, looked: total }
      if (isEnough || performance.now() > endMs) return { cursor: after ?? undefined, looked: total }
    }
  }
}
