import type { CheckedLimits } from '../job/limits.ts'
import type { AnyQueue } from '../job/queue.ts'
import { claimsUnderWay, findHeld, pauseQueue, type QueueGroup, resumeQueue } from '../sql/pause-queue.ts'
import {
  countRunning,
  declareLimits,
  forgetRates,
  holdBack,
  type LimitColumns,
  setLimits,
} from '../sql/queue-limits.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'

/** The statements about queues: pause, limits and what holds them back. */
export class QueueStore {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = {
      pause: pauseQueue(tables),
      resume: resumeQueue(tables),
      underWay: claimsUnderWay(tables),
      held: findHeld(tables),
      declare: declareLimits(tables),
      set: setLimits(tables),
      count: countRunning(tables),
      hold: holdBack(tables),
      forget: forgetRates(tables),
    }
  }

  /** Returns whether it was not paused before. */
  async pause(session: Session, queue: string, reason: string | null): Promise<boolean> {
    return (await session.run(this.#statements.pause, { queue, reason }))[0]?.changed === 'true'
  }

  /** Returns whether it was paused. */
  async resume(session: Session, queue: string): Promise<boolean> {
    return (await session.run(this.#statements.resume, { queue }))[0]?.changed === 'true'
  }

  /** The transactions that are claiming. */
  async claimsUnderWay(session: Session): Promise<Set<string>> {
    return new Set((await session.run(this.#statements.underWay, undefined)).map(({ claim }) => claim))
  }

  /** Of these queues and groups those that nothing may start of. */
  findHeld(session: Session, held: readonly QueueGroup[]): Promise<QueueGroup[]> {
    return session.run(this.#statements.held, held)
  }

  /** Writes the limits of a definition, unless it says nothing of them or the same were declared before. Returns whether it did. */
  async declare(session: Session, { name: queue, limits }: AnyQueue): Promise<boolean> {
    if (limits === undefined) return false
    const columns = columnsOf(limits)
    const declared = JSON.stringify(columns)
    return (await session.run(this.#statements.declare, { queue, declared, columns })).length > 0
  }

  async setLimits(session: Session, queue: string, limits: CheckedLimits): Promise<void> {
    await session.run(this.#statements.set, { queue, declared: null, columns: columnsOf(limits) })
  }

  /** Makes running jobs count that were claimed before there were limits. Returns how many do not yet, since somebody has them locked. */
  async countRunning(session: Session, queue: string): Promise<number> {
    const [row] = await session.run(this.#statements.count, { queue })
    return Number(row?.left ?? 0)
  }

  async holdBack(session: Session, queue: string, group: string | null, forMs: number): Promise<void> {
    await session.run(this.#statements.hold, { queue, group, forMs })
  }

  /** Forgets rates that mean nothing any more, a bounded number at a time. Returns how many. */
  async forgetRates(session: Session, limit: number): Promise<number> {
    return (await session.run(this.#statements.forget, { limit })).length
  }
}

const columnsOf = ({ concurrency, rate, groupConcurrency, groupRate }: CheckedLimits): LimitColumns => ({
  concurrency_limit: concurrency,
  rate_limit: rate?.limit ?? null,
  rate_period_ms: rate?.perMs ?? null,
  rate_burst: rate?.burst ?? null,
  group_concurrency_limit: groupConcurrency,
  group_rate_limit: groupRate?.limit ?? null,
  group_rate_period_ms: groupRate?.perMs ?? null,
  group_rate_burst: groupRate?.burst ?? null,
})
