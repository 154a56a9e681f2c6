import type { Missed } from '../cron/due-ticks.ts'
import type { Rule } from '../cron/rule.ts'
import { parseMissed } from '../job/schedule.ts'
import {
  declareSchedules,
  dueSchedules,
  forgetSchedules,
  pauseSchedule,
  readSchedules,
  removeSchedule,
  runSchedule,
  runTicks,
  type ScheduleRow,
  syncSchedules,
  writeSchedule,
} from '../sql/schedules.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'

/** A schedule as one reads it back: the row of `pgq.schedules`. */
export interface ScheduleRecord {
  readonly name: string
  readonly queue: string
  /** When it ticks, in ms since 1970. */
  readonly rule: Rule
  readonly missed: Missed
  readonly payload: unknown
  /** What its jobs have beside the payload, as it is stored. */
  readonly options: { readonly [name: string]: unknown }
  /** The next tick that has not been run; null until a leader has worked it out (a second or two), and when there is none any more. */
  readonly nextAt: Date | null
  readonly lastAt: Date | null
  readonly lastJobId: string | null
  readonly pausedAt: Date | null
  /** Since when it has no tick left; it is deleted a week later, unless it is declared in code. */
  readonly finishedAt: Date | null
  /** Whether it is declared in code. */
  readonly declared: boolean
  /** Since when no live worker declares it, so that it rests; it is deleted 30 days later. */
  readonly retiredAt: Date | null
  /** Why its rule can't be followed, when somebody wrote a wrong one by SQL. */
  readonly error: string | null
  readonly createdAt: Date
  /** What the database's clock said when it was read, in ms since 1970. */
  readonly clockMs: number
}

/** A schedule that is due, or the next one that will be. */
export interface DueSchedule extends ScheduleRecord {
  readonly nextMs: number | undefined
  readonly sinceMs: number
  /** When it last went on after a pause. */
  readonly resumedMs: number | undefined
  readonly version: number
  readonly seenUs: string | null
}

/** What to do about one schedule: the ticks to run and where it then stands. */
export interface TickPlan {
  readonly due: DueSchedule
  readonly ticks: readonly { readonly id: string; readonly atMs: number }[]
  /** The oldest of the ticks that are dropped. */
  readonly droppedMs: number | undefined
  readonly nextMs: number | undefined
  readonly error?: string
}

/** The statements about schedules. */
export class ScheduleStore {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = {
      due: dueSchedules(tables),
      tick: runTicks(tables),
      sync: syncSchedules(tables),
      declare: declareSchedules(tables),
      forget: forgetSchedules(tables),
      write: writeSchedule(tables),
      read: readSchedules(tables),
      pause: pauseSchedule(tables),
      remove: removeSchedule(tables),
      run: runSchedule(tables),
    }
  }

  /** The due ones, at most `limit` and none of `except`, and the next that will be. */
  async due(session: Session, limit: number, except: readonly string[] = []): Promise<DueSchedule[]> {
    return (await session.run(this.#statements.due, { limit, except })).map(dueSchedule)
  }

  /** Runs ticks. Returns the names of the schedules that stood as they were seen, and the ids of jobs that a unique key held back. */
  async tick(
    session: Session,
    plans: readonly TickPlan[],
  ): Promise<{ moved: ReadonlySet<string>; deduplicated: ReadonlySet<string> }> {
    const rows = await session.run(this.#statements.tick, { plans: JSON.stringify(plans.map(planJson)) })
    const of = (name: 'schedule' | 'deduplicated'): Set<string> =>
      new Set(rows.map((row) => row[name]).filter((value) => value !== null))
    return { moved: of('schedule'), deduplicated: of('deduplicated') }
  }

  async sync(session: Session): Promise<void> {
    await session.run(this.#statements.sync, undefined)
  }

  /** Returns since when the worker has declared them, to say it again. */
  async declare(
    session: Session,
    workerId: string,
    definitions: readonly string[],
    since: string | undefined,
  ): Promise<string | undefined> {
    const params = { workerId, definitions: `[${definitions.join(',')}]`, since: since ?? null }
    return (await session.run(this.#statements.declare, params))[0]?.since
  }

  async forget(session: Session, finishedMs: number, retiredMs: number): Promise<void> {
    await session.run(this.#statements.forget, { finishedMs, retiredMs })
  }

  /** Returns false when it is declared in code. */
  async write(session: Session, definition: string): Promise<boolean> {
    const [row] = await session.run(this.#statements.write, { definition })
    return row?.written === 'true'
  }

  async get(session: Session, name: string): Promise<ScheduleRecord | null> {
    const [row] = await session.run(this.#statements.read, { name, limit: 1 })
    return row ? scheduleRecord(row) : null
  }

  async list(
    session: Session,
    page: { readonly after?: string; readonly queue?: string; readonly limit: number },
  ): Promise<ScheduleRecord[]> {
    return (await session.run(this.#statements.read, page)).map(scheduleRecord)
  }

  /** Returns whether there is one of that name. */
  async pause(session: Session, name: string, paused: boolean): Promise<boolean> {
    return (await session.run(this.#statements.pause, { name, paused })).length > 0
  }

  /** Returns whether it was removed. */
  async remove(session: Session, name: string): Promise<boolean> {
    return (await session.run(this.#statements.remove, { name })).length > 0
  }

  async run(session: Session, name: string): Promise<{ id: string; deduplicated: boolean }> {
    const [row] = await session.run(this.#statements.run, { name })
    return { id: row?.id ?? '', deduplicated: row?.deduplicated === 'true' }
  }
}

function planJson({ due, ticks, nextMs, error }: TickPlan): object {
  return {
    name: due.name,
    version: due.version,
    seen_us: due.seenUs,
    next_ms: nextMs ?? null,
    error: error ?? null,
    ticks: ticks.map(({ id, atMs }) => ({ id, at_ms: atMs, at: new Date(atMs).toISOString() })),
  }
}

const date = (ms: string | null): Date | null => (ms === null ? null : new Date(Number(ms)))
const msOf = (ms: string | null): number | undefined => (ms === null ? undefined : Number(ms))

function scheduleRecord(row: ScheduleRow): ScheduleRecord {
  return {
    name: row.name,
    queue: row.queue,
    rule: {
      cron: row.cron ?? undefined,
      timezone: row.cron === null ? undefined : row.timezone,
      everyMs: msOf(row.every),
      atMs: msOf(row.once),
      fromMs: msOf(row.starts),
      untilMs: msOf(row.ends),
    },
    missed: parseMissed(row.missed),
    payload: JSON.parse(row.payload),
    options: JSON.parse(row.options) as Record<string, unknown>,
    nextAt: date(row.next),
    lastAt: date(row.last),
    lastJobId: row.job,
    pausedAt: date(row.paused),
    finishedAt: date(row.finished),
    declared: row.declared === 'true',
    retiredAt: date(row.retired),
    error: row.error,
    createdAt: new Date(Number(row.created)),
    clockMs: Number(row.clock),
  }
}

function dueSchedule(row: ScheduleRow): DueSchedule {
  return {
    ...scheduleRecord(row),
    nextMs: msOf(row.next),
    sinceMs: Number(row.since),
    resumedMs: msOf(row.resumed),
    version: Number(row.version),
    seenUs: row.exact,
  }
}
