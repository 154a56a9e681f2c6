import type { Events } from '../events.ts'
import { monotonicMs } from '../runtime/clock.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { WorkerStore } from '../store/worker-store.ts'
import type { PulseThread } from './pulse-thread.ts'

/** What the heartbeat needs from outside. */
export interface HeartbeatDeps {
  readonly database: Database
  readonly store: WorkerStore
  readonly events: Events
  readonly leaseMs: number
  readonly workerId: () => string
  /** Whether enqueues should notify this worker. */
  readonly isListening: () => boolean
  /** Renews while the event loop is blocked, if something is to. */
  readonly pulse: PulseThread | undefined
  /** Called after each renewal. */
  readonly onRenewed: () => void
  /** Called when others have declared this worker lost; resolves when it has a new id. */
  readonly onLost: () => Promise<void>
}

/**
 * Keeps the lease of a worker.
 *
 * The lease is a row with a time by the database's clock; this side counts on its own monotonic clock from before each
 * renewal was sent, so it always thinks the lease ends earlier than it does. A worker that could not renew in time
 * begins nothing new, but lets its handlers go on: perhaps nobody could reach the database, and then nobody has taken
 * its jobs. Only when a renewal finds the worker declared lost are its claims void; then it starts anew under a new id.
 * Should it be wrong about anything, the fences keep it harmless.
 */
export class Heartbeat implements Service {
  readonly #deps: HeartbeatDeps
  readonly #loop: Loop
  #renewedMs = monotonicMs()
  #reachableSinceMs: number | undefined
  #reachedMs = 0
  #paused = false
  #announced = false

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#beat(),
      onError: (error) => this.#failed(error),
      maxPauseMs: Math.min(1_000, deps.leaseMs / 6),
    })
  }

  async start(): Promise<void> {
    this.#renewedMs = monotonicMs()
    await this.#deps.pulse?.start()
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#loop.stop(), this.#deps.pulse?.stop()])
  }

  /** Renews now. */
  wake(): void {
    this.#loop.wake()
  }

  /** Whether the lease certainly stands. */
  get isCurrent(): boolean {
    return monotonicMs() - this.#renewedMs < this.#deps.leaseMs
  }

  /** Whether enqueues know, since the last renewal, that this worker wants to be notified. */
  get announcedListening(): boolean {
    return this.#announced
  }

  /** For how long renewals have gone through without a gap that others could feel, in ms. */
  get reachableMs(): number {
    const now = monotonicMs()
    if (this.#reachableSinceMs === undefined || now - this.#reachedMs > this.#deps.leaseMs / 2) return 0
    return Math.max(1, now - this.#reachableSinceMs)
  }

  async #beat(): Promise<number> {
    const { database, store, workerId, leaseMs, isListening } = this.#deps
    this.#tellIfPaused()
    const sentMs = monotonicMs()
    const listening = isListening()
    const alive = await store.renewLease(database, workerId(), leaseMs, listening)
    this.#announced = alive && listening
    if (this.reachableMs === 0) this.#reachableSinceMs = sentMs
    this.#reachedMs = sentMs
    if (!alive) await this.#startAnew()
    this.#renewedMs = sentMs
    if (this.#paused) this.#deps.events.emit('worker.resumed', { workerId: workerId() })
    this.#paused = false
    this.#deps.onRenewed()
    return leaseMs / 3
  }

  async #startAnew(): Promise<void> {
    await this.#deps.onLost()
    this.#deps.pulse?.follow(this.#deps.workerId())
  }

  #failed(error: unknown): void {
    this.#tellIfPaused()
    this.#deps.events.emit('error', { where: 'renewing the lease', error })
  }

  #tellIfPaused(): void {
    if (this.isCurrent || this.#paused) return
    this.#paused = true
    const sinceHeartbeatMs = monotonicMs() - this.#renewedMs
    this.#deps.events.emit('worker.paused', { workerId: this.#deps.workerId(), sinceHeartbeatMs })
  }
}
