import { isPgqError } from '../errors.ts'
import {
  createDay,
  deleteExpiredCompleted,
  deleteExpiredDead,
  dropDay,
  expiredDays,
  missingDays,
} from '../sql/partitions.ts'
import type { Tables } from '../sql/statement.ts'
import { deleteExpiredKeys } from '../sql/unique-keys.ts'
import type { Database } from './database.ts'

/** So many days are made ahead, so that a fleet without a leader for a week still writes into the right ones. */
const DAYS_AHEAD = 7
/** DDL waits for its locks no longer than this, since everybody else queues up behind it. In ms. */
const LOCK_TIMEOUT_MS = 1_000

/** The partitions of the completed history, and the end of it. */
export class HistoryStore {
  readonly #tables: Tables

  constructor(tables: Tables) {
    this.#tables = tables
  }

  /** Makes the partitions of today and the days to come that are missing. Returns the days. */
  async makeDays(database: Database): Promise<string[]> {
    const missing = await database.run(missingDays(this.#tables), { daysAhead: DAYS_AHEAD })
    const days = missing.map((row) => row.day)
    for (const day of days) await this.#change(database, createDay(this.#tables, day))
    return days
  }

  /** Drops the days that ended longer ago than `keepMs`. Returns them. */
  async dropDays(database: Database, keepMs: number): Promise<string[]> {
    const expired = await database.run(expiredDays(this.#tables), { keepMs })
    const days = expired.map((row) => row.day)
    for (const day of days) await this.#change(database, dropDay(this.#tables, day))
    return days
  }

  /** Deletes at most `limit` old jobs of each kind that has no partitions by day. Returns how many. */
  async deleteExpired(
    database: Database,
    keep: { readonly completedMs: number; readonly deadMs: number },
    limit: number,
  ): Promise<number> {
    const completed = await database.run(deleteExpiredCompleted(this.#tables), {
      keepMs: keep.completedMs,
      limit,
    })
    const dead = await database.run(deleteExpiredDead(this.#tables), { keepMs: keep.deadMs, limit })
    return completed.length + dead.length
  }

  /** Deletes at most `limit` unique keys whose period is over. Returns how many. */
  async deleteExpiredKeys(database: Database, limit: number): Promise<number> {
    return (await database.run(deleteExpiredKeys(this.#tables), { limit })).length
  }

  async #change(database: Database, ddl: readonly string[]): Promise<void> {
    try {
      await database.transaction(async (session) => {
        await session.execute(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`)
        for (const text of ddl) await session.execute(text)
      })
    } catch (error) {
      if (!isPgqError(error) || !isAlreadyDone(error.sqlState)) throw error
    }
  }
}

/** Somebody else made or dropped it first: duplicate table, duplicate object, overlapping partition, undefined table. */
const isAlreadyDone = (sqlState: string | undefined): boolean =>
  ['42P07', '42710', '42P17', '42P01', '23505'].includes(sqlState ?? '')
