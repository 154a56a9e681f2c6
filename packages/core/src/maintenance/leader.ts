import type { Events } from '../events.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { WorkerStore } from '../store/worker-store.ts'

/** What the election needs from outside. */
export interface LeaderDeps {
  readonly database: Database
  readonly store: WorkerStore
  readonly events: Events
  readonly workerId: () => string
  /** How long a lead lasts without being renewed, in ms. */
  readonly termMs: number
  /** What the leader does. */
  readonly tasks: readonly Service[]
}

/**
 * Elects one worker to do the maintenance.
 *
 * A row holds who leads and until when, by the database's clock. The leader renews it three times in a term, everybody
 * else tries to take it as often and succeeds once it has expired. Nothing depends on there being only one: a leader
 * that is cut off goes on for a moment beside its successor, and every task is safe to run twice. That is why no lock and
 * no session is held, and why all of it works behind a transaction pooler.
 */
export class Leader implements Service {
  readonly #deps: LeaderDeps
  readonly #loop: Loop
  #leads = false

  constructor(deps: LeaderDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#campaign(),
      onError: (error) => void this.#failed(error),
      maxPauseMs: deps.termMs / 3,
    })
  }

  get leads(): boolean {
    return this.#leads
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
    if (!this.#leads) return
    await this.#stepDown()
    const { database, store, workerId } = this.#deps
    await store.resign(database, workerId()).catch(() => {}) // the term ends by itself
  }

  async #campaign(): Promise<number> {
    const { database, store, workerId, termMs } = this.#deps
    const elected = await store.elect(database, workerId(), termMs)
    if (elected && !this.#leads) await this.#takeOver()
    if (!elected && this.#leads) await this.#stepDown()
    return termMs / 3
  }

  async #failed(error: unknown): Promise<void> {
    this.#deps.events.emit('error', { where: 'electing a leader', error })
    if (this.#leads) await this.#stepDown()
  }

  async #takeOver(): Promise<void> {
    this.#leads = true
    this.#deps.events.emit('leader.elected', { workerId: this.#deps.workerId() })
    await Promise.all(this.#deps.tasks.map((task) => task.start()))
  }

  async #stepDown(): Promise<void> {
    this.#leads = false
    await Promise.all(this.#deps.tasks.map((task) => task.stop()))
    this.#deps.events.emit('leader.resigned', { workerId: this.#deps.workerId() })
  }
}
