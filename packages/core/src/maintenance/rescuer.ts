import type { Events } from '../events.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { WorkerStore } from '../store/worker-store.ts'

/** What the rescue needs from outside. */
export interface RescuerDeps {
  readonly database: Database
  readonly store: WorkerStore
  readonly events: Events
  readonly leaseMs: number
  /** For how long this process has reached the database without a break, in ms. */
  readonly reachableMs: () => number
}

/** How many jobs one statement takes back. */
const BATCH = 1_000
/** Lost workers are remembered this long, so that a claim they sent before they stalled is found when it lands. In ms. */
const REMEMBER_MS = 600_000
/** How often to look for claims of workers that nobody knows, in ms. */
const ORPHANS_EVERY_MS = 60_000

/**
 * Gives the jobs of dead workers back to their queues.
 *
 * After an outage of the database every lease has run out, and the jobs of all the workers that lived through it must not
 * be run again. So a worker is declared lost only on the second look, a quarter of a lease after the first, by a process
 * that has itself reached the database for a whole lease: until then every living worker has long renewed. From
 * a crash to the rescue this takes at most about one and a half leases.
 */
export class Rescuer implements Service {
  readonly #deps: RescuerDeps
  readonly #loop: Loop
  #orphansMs = Number.NEGATIVE_INFINITY

  constructor(deps: RescuerDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#pass(),
      onError: (error) => deps.events.emit('error', { where: 'rescuing jobs', error }),
      maxPauseMs: deps.leaseMs / 3,
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #pass(): Promise<number> {
    const { database, store, leaseMs, reachableMs } = this.#deps
    await store.suspectExpired(database)
    if (reachableMs() >= leaseMs) {
      await store.loseSuspects(database, leaseMs / 4)
      await this.#adoptOrphans()
    }
    await this.#rescueAll()
    return leaseMs / 9
  }

  async #rescueAll(): Promise<void> {
    const { database, store, events } = this.#deps
    for (;;) {
      const jobs = await store.rescue(database, BATCH)
      if (jobs.length === 0) return
      events.emit('job.rescued', { jobs })
      await store.wake(database, [...new Set(jobs.map((job) => job.queue))])
    }
  }

  async #adoptOrphans(): Promise<void> {
    const { database, store } = this.#deps
    if (monotonicMs() - this.#orphansMs < ORPHANS_EVERY_MS) return
    this.#orphansMs = monotonicMs()
    await store.adoptOrphans(database)
    await store.forgetLost(database, REMEMBER_MS)
  }
}
