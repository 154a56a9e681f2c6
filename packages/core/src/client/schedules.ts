import { ticksOf } from '../cron/rule.ts'
import { isPgqError, PgqError, show } from '../errors.ts'
import { assertSchedule, type Schedule, scheduleText } from '../job/schedule.ts'
import type { AnyQueue } from '../job/queue.ts'
import { integerOption, knownOptions, textOption } from '../runtime/options.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database, Session } from '../store/database.ts'
import type { Queryable } from '../store/queryable.ts'
import { type ScheduleRecord, ScheduleStore } from '../store/schedule-store.ts'
import type { EnqueueResult } from './enqueue-result.ts'
import { nameOf } from './filter.ts'
import { guestSession } from './guest-session.ts'

/** Where a change is made. */
export interface ScheduleCallOptions {
  /** Your transaction: the change is made if and only if it commits. */
  readonly tx?: Queryable
}

/** Which schedules to list. */
export interface ListSchedulesOptions {
  /** A queue, or its name. */
  readonly queue?: AnyQueue | string
  /** How many, 1 to 1000. @default 100 */
  readonly limit?: number
  /** The name of the last one of the page before. */
  readonly after?: string
}

/** Says that a call is under way, so that closing waits for it. */
type Call = <T>(work: () => Promise<T>) => Promise<T>

/** The schedules of a schema: `pgq.schedules`. Changes are seen by the leader within two seconds. */
export class Schedules {
  readonly #database: Database
  readonly #store: ScheduleStore
  readonly #schema: string
  readonly #maxPayloadBytes: number
  readonly #call: Call

  /** Use `pgq.schedules`. */
  constructor(deps: { database: Database; tables: Tables; maxPayloadBytes: number; call: Call }) {
    this.#database = deps.database
    this.#store = new ScheduleStore(deps.tables)
    this.#schema = deps.tables.name
    this.#maxPayloadBytes = deps.maxPayloadBytes
    this.#call = deps.call
  }

  /**
   * Creates a schedule, or changes the one of that name. A changed rule counts from now; a changed payload for the next tick; a pause stays.
   * @throws PgqError SCHEDULE_IN_CODE, INVALID_PAYLOAD, PAYLOAD_TOO_LARGE, INVALID_OPTION, TRANSACTION_CLOSED, SCHEMA_MISSING, DATABASE_…
   */
  upsert<Q extends AnyQueue>(schedule: Schedule<Q>, options: ScheduleCallOptions = {}): Promise<void> {
    return this.#call(async () => {
      const session = this.#session('schedules.upsert', options)
      assertSchedule(schedule)
      const written = await this.#store.write(session, await scheduleText(schedule, this.#maxPayloadBytes))
      if (!written) throw inCode(schedule.name)
    })
  }

  /** One schedule, or null when there is none of that name. */
  get(name: string): Promise<ScheduleRecord | null> {
    return this.#call(() => this.#store.get(this.#database, scheduleName(name)))
  }

  /** A page of the schedules, by name. */
  list(options: ListSchedulesOptions = {}): Promise<ScheduleRecord[]> {
    return this.#call(async () => {
      knownOptions('schedules.list', options, ['queue', 'limit', 'after'])
      return this.#store.list(this.#database, {
        limit: integerOption('limit', options.limit ?? 100, 1, 1_000),
        ...(options.after !== undefined && { after: scheduleName(options.after) }),
        ...(options.queue !== undefined && { queue: nameOf(options.queue) }),
      })
    })
  }

  /**
   * Stops a schedule until `resume`, durably, one that is declared in code as well.
   * @throws PgqError UNKNOWN_SCHEDULE
   */
  pause(name: string, options: ScheduleCallOptions = {}): Promise<void> {
    return this.#setPaused('schedules.pause', name, true, options)
  }

  /**
   * Lets a schedule go on. What becomes of the ticks in between its `missed` says.
   * @throws PgqError UNKNOWN_SCHEDULE
   */
  resume(name: string, options: ScheduleCallOptions = {}): Promise<void> {
    return this.#setPaused('schedules.resume', name, false, options)
  }

  /**
   * Removes a schedule. Jobs that it has enqueued stay. Returns whether there was one.
   * @throws PgqError SCHEDULE_IN_CODE
   */
  remove(name: string, options: ScheduleCallOptions = {}): Promise<boolean> {
    return this.#call(async () => {
      const session = this.#session('schedules.remove', options)
      if (await this.#store.remove(session, scheduleName(name))) return true
      if (await this.#store.get(session, name)) throw inCode(name)
      return false
    })
  }

  /**
   * Enqueues a job of a schedule now, paused or not. Its ticks stay as they are.
   * @throws PgqError UNKNOWN_SCHEDULE
   */
  runNow(name: string, options: ScheduleCallOptions = {}): Promise<EnqueueResult> {
    return this.#call(async () => {
      const session = this.#session('schedules.runNow', options)
      try {
        return await this.#store.run(session, scheduleName(name))
      } catch (error) {
        throw isPgqError(error) && error.sqlState === NO_SUCH_SCHEDULE ? unknown(name) : error
      }
    })
  }

  /**
   * The next ticks of a schedule, as if it were not paused.
   * @param count how many at the most, 1 to 1,000
   * @throws PgqError UNKNOWN_SCHEDULE, INVALID_SCHEDULE when somebody wrote a wrong one by SQL
   */
  next(name: string, count = 10): Promise<Date[]> {
    return this.#call(async () => {
      integerOption('count', count, 1, 1_000)
      const found = await this.#store.get(this.#database, scheduleName(name))
      if (!found) throw unknown(name)
      if (found.finishedAt) return []
      const next = ticksOf(found.rule)
      const ticks: Date[] = []
      for (let tick = next(found.clockMs); tick !== undefined && ticks.length < count; tick = next(tick))
        ticks.push(new Date(tick))
      return ticks
    })
  }

  #setPaused(what: string, name: string, paused: boolean, options: ScheduleCallOptions): Promise<void> {
    return this.#call(async () => {
      const session = this.#session(what, options)
      if (!(await this.#store.pause(session, scheduleName(name), paused))) throw unknown(name)
    })
  }

  #session(what: string, options: ScheduleCallOptions): Session {
    knownOptions(what, options, ['tx'])
    return options.tx === undefined ? this.#database : guestSession(options.tx, this.#schema)
  }
}

/** The SQLSTATE of `run_schedule` for a name that there is not. */
const NO_SUCH_SCHEDULE = 'PQ002'

const scheduleName = (name: string): string => textOption('the name of a schedule', name, 200)

const unknown = (name: string): PgqError =>
  new PgqError(
    'UNKNOWN_SCHEDULE',
    `there is no schedule ${show(name)}: pgq.schedules.list() shows those that there are`,
  )

const inCode = (name: string): PgqError =>
  new PgqError(
    'SCHEDULE_IN_CODE',
    `schedule ${show(name)} is declared in code, by a worker that is alive: change it there, or pause it`,
  )
