import { dueTicks } from '../cron/due-ticks.ts'
import { type NextTick, type Rule, ticksOf } from '../cron/rule.ts'
import type { Events } from '../events.ts'
import { newJobId } from '../job/job-id.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { DueSchedule, ScheduleStore, TickPlan } from '../store/schedule-store.ts'

/** What running schedules needs from outside. */
export interface SchedulerDeps {
  readonly database: Database
  readonly store: ScheduleStore
  readonly events: Events
  /** The longest time between two looks, in ms: so long a new schedule may go unseen. */
  readonly lookMs: number
}

/** How many schedules one statement moves on. */
const BATCH = 100
/** How often the schedules are made what the live workers declare, in ms. */
const SYNC_EVERY_MS = 5_000
const FORGET_EVERY_MS = 3_600_000
/** How long finished and retired schedules are kept, in ms. */
const KEEP_FINISHED_MS = 7 * 86_400_000
const KEEP_RETIRED_MS = 30 * 86_400_000
/** Rules are parsed once; a process that has seen more of them begins anew. */
const KNOWN_RULES = 10_000

/**
 * Enqueues the jobs of schedules when they are due.
 *
 * It runs on the leader, and nothing depends on there being only one: a tick is run by moving its schedule on from exactly where it was
 * seen, in the transaction that writes the job. All times are the database's.
 */
export class Scheduler implements Service {
  readonly #deps: SchedulerDeps
  readonly #loop: Loop
  readonly #rules = new Map<string, NextTick>()
  #syncedMs = Number.NEGATIVE_INFINITY
  #forgotMs = Number.NEGATIVE_INFINITY

  constructor(deps: SchedulerDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#pass(),
      onError: (error) => void this.#failed(error),
      maxPauseMs: deps.lookMs,
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #pass(): Promise<number> {
    const { database, store, lookMs } = this.#deps
    await this.#tidy()
    const seen = await store.due(database, BATCH)
    const due = seen.filter(isDue)
    if (due.length > 0) {
      const moved = await this.#run(due.map((schedule) => this.#plan(schedule)))
      // Those that stay where they are somebody else has in hand: another leader, or a transaction that is open.
      return moved > 0 ? 0 : lookMs
    }
    const next = seen.at(-1)
    return next?.nextMs === undefined ? lookMs : Math.min(lookMs, Math.ceil(next.nextMs - next.clockMs))
  }

  async #tidy(): Promise<void> {
    const { database, store } = this.#deps
    if (monotonicMs() - this.#syncedMs >= SYNC_EVERY_MS) {
      await store.sync(database)
      this.#syncedMs = monotonicMs()
    }
    if (monotonicMs() - this.#forgotMs >= FORGET_EVERY_MS) {
      await store.forget(database, KEEP_FINISHED_MS, KEEP_RETIRED_MS)
      this.#forgotMs = monotonicMs()
    }
  }

  #plan(due: DueSchedule): TickPlan {
    try {
      const next = this.#ticksOf(due.rule)
      if (mayHaveRun(due)) return { due, ticks: [], droppedMs: due.rule.atMs, nextMs: undefined }
      // A one-off is meant for its moment, whenever it was written down.
      const first = due.nextMs ?? due.rule.atMs ?? due.sinceMs
      const resumed = due.resumedMs === undefined ? undefined : Math.ceil(due.resumedMs)
      const { ticks, droppedMs, nextMs } = dueTicks(next, Math.ceil(first), due.clockMs, due.missed, resumed)
      return { due, ticks: ticks.map((atMs) => ({ id: newJobId(), atMs })), droppedMs, nextMs }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#failed(error)
      return { due, ticks: [], droppedMs: undefined, nextMs: undefined, error: message }
    }
  }

  /** Returns how many schedules were moved on. One that the database refuses must not hold up the others. */
  async #run(plans: readonly TickPlan[]): Promise<number> {
    try {
      return await this.#write(plans)
    } catch (error) {
      if (plans.length === 1) throw error
      let moved = 0
      for (const plan of plans)
        moved += await this.#write([plan]).catch((reason: unknown) => this.#failed(reason))
      return moved
    }
  }

  async #write(plans: readonly TickPlan[]): Promise<number> {
    const { moved, deduplicated } = await this.#deps.store.tick(this.#deps.database, plans)
    for (const plan of plans) if (moved.has(plan.due.name)) this.#tell(plan, deduplicated)
    return moved.size
  }

  #tell({ due, ticks, droppedMs }: TickPlan, deduplicated: ReadonlySet<string>): void {
    const { events } = this.#deps
    if (droppedMs !== undefined)
      events.emit('schedule.missed', { schedule: due.name, since: new Date(droppedMs) })
    if (ticks.length === 0) return
    const ids = ticks.map(({ id }) => id).filter((id) => !deduplicated.has(id))
    events.emit('schedule.ticked', {
      schedule: due.name,
      queue: due.queue,
      ids,
      ticks: ticks.map(({ atMs }) => new Date(atMs)),
      deduplicated: ticks.length - ids.length,
    })
  }

  #ticksOf(rule: Rule): NextTick {
    const key = JSON.stringify(rule)
    const known = this.#rules.get(key) ?? ticksOf(rule)
    if (this.#rules.size >= KNOWN_RULES) this.#rules.clear()
    this.#rules.set(key, known)
    return known
  }

  #failed(error: unknown): number {
    this.#deps.events.emit('error', { where: 'running schedules', error })
    return 0
  }
}

/**
 * A one-off that was written down longer after its moment than finished ones are kept: it may have run, and been forgotten, and then come back
 * with the next start of a program that writes it each time.
 */
const mayHaveRun = ({ rule, nextMs, sinceMs }: DueSchedule): boolean =>
  nextMs === undefined && rule.atMs !== undefined && rule.atMs < sinceMs - KEEP_FINISHED_MS

const isDue = ({ nextMs, clockMs }: DueSchedule): boolean => nextMs === undefined || nextMs <= clockMs
