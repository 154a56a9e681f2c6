import { dueTicks } from '../cron/due-ticks.ts'
import { type NextTick, type Rule, ticksOf } from '../cron/rule.ts'
import { isPgqError } from '../errors.ts'
import type { Events } from '../events.ts'
import { newJobId } from '../job/job-id.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { DueSchedule, ScheduleStore, TickPlan } from '../store/schedule-store.ts'
import { SetAside } from './set-aside.ts'

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
/** Of those that were refused before, how many are tried again between two looks at the others. */
const RETRIES = 3
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
  /** Those that the database refused: one whose unique key an open transaction holds, or that a trigger forbids. */
  readonly #refused = new SetAside()
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
    const seen = await store.due(database, BATCH, this.#refused.except(RETRIES, monotonicMs()))
    const plans = seen.filter(isDue).map((schedule) => this.#plan(schedule))
    const moved = await this.#run(plans)
    if (moved > 0) return 0
    // Those that stay where they are somebody else has in hand: another leader, or a transaction that is open.
    if (plans.length > 0) return Math.min(lookMs, this.#refused.leftMs(monotonicMs()))
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

  /** Returns how many schedules were moved on. One that the database refuses must not hold up the others, so it is tried alone, and ever more seldom. */
  async #run(plans: readonly TickPlan[]): Promise<number> {
    const alone = plans.filter(({ due }) => this.#refused.has(due.name))
    const together = plans.filter(({ due }) => !this.#refused.has(due.name))
    let moved = 0
    try {
      if (together.length > 0) moved = await this.#write(together)
    } catch (error) {
      if (isPgqError(error, 'DATABASE_UNAVAILABLE')) throw error
      alone.push(...together)
    }
    for (const plan of alone) moved += await this.#runAlone(plan)
    return moved
  }

  async #runAlone(plan: TickPlan): Promise<number> {
    try {
      const moved = await this.#write([plan])
      this.#refused.delete(plan.due.name)
      return moved
    } catch (error) {
      if (isPgqError(error, 'DATABASE_UNAVAILABLE')) throw error
      this.#refused.add(plan.due.name, monotonicMs())
      return this.#failed(error)
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
