import type { Events } from '../events.ts'
import type { ClaimedJob } from '../job/job.ts'
import type { Transition } from '../job/transition.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import { addMinutes, type QueueDeeds } from '../sql/queue-minutes.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'

type Deeds = { -readonly [Name in keyof QueueDeeds]: QueueDeeds[Name] }

/** How often what was counted is written down, in ms. */
const EVERY_MS = 5_000

/** Counts how attempts end and adds it to the current minute of their queues: an idle worker writes nothing. */
export class Tally implements Service {
  readonly #database: Database
  readonly #add
  readonly #loop: Loop
  #deeds = new Map<string, Deeds>()

  constructor(deps: { database: Database; tables: Tables; events: Events }) {
    this.#database = deps.database
    this.#add = addMinutes(deps.tables)
    this.#loop = new Loop({
      step: () => this.#write(),
      onError: (error) => deps.events.emit('error', { where: 'counting what was done', error }),
      maxPauseMs: 60_000,
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  /** Writes down what is left. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    // Figures are not worth an error at the end.
    await this.#write().catch(() => {})
  }

  /** Counts one attempt. One that gave its job back, or put it off, did not end. */
  count(job: ClaimedJob, ending: Transition['to'], ranMs: number): void {
    if (ending === 'pending') return
    const deeds = this.#of(job.queue)
    deeds[ending]++
    deeds.ran_ms += ranMs
    deeds.waited_ms += Math.max(0, job.startedAtMs - job.scheduledForMs)
  }

  #of(queue: string): Deeds {
    const known = this.#deeds.get(queue)
    if (known) return known
    const none = {
      queue_name: queue,
      completed: 0,
      failed: 0,
      dead: 0,
      cancelled: 0,
      waited_ms: 0,
      ran_ms: 0,
    }
    this.#deeds.set(queue, none)
    return none
  }

  async #write(): Promise<number> {
    if (this.#deeds.size === 0) return EVERY_MS
    const deeds = this.#deeds
    this.#deeds = new Map()
    try {
      await this.#database.run(this.#add, [...deeds.values()])
    } catch (error) {
      this.#putBack(deeds)
      throw error
    }
    return EVERY_MS
  }

  #putBack(deeds: ReadonlyMap<string, Deeds>): void {
    for (const [queue, before] of deeds) {
      const now = this.#of(queue)
      for (const name of ['completed', 'failed', 'dead', 'cancelled', 'waited_ms', 'ran_ms'] as const)
        now[name] += before[name]
    }
  }
}
