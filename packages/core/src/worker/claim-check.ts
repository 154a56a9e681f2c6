import type { Events } from '../events.ts'
import { jittered } from '../runtime/clock.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { Database } from '../store/database.ts'
import type { JobStore, LostClaim } from '../store/job-store.ts'
import type { QueueStore } from '../store/queue-store.ts'
import { jobCancelled, leaseLost } from './abort-reasons.ts'
import type { Runner } from './runner.ts'
import { claimOf } from './settlement.ts'

/** What the check of claims needs from outside. */
export interface ClaimCheckDeps {
  readonly database: Database
  readonly store: JobStore
  readonly queues: QueueStore
  readonly runner: Runner
  readonly events: Events
  /** Whether cancellations and pauses are certainly told of. */
  readonly isNotified: () => boolean
  /** Told of a queue, or of one of its groups, that nothing may start of any more. */
  readonly onHold: (queue: string, group: string | null) => void
}

/** How often to look when nobody tells of cancellations and pauses, in ms: with a younger attempt's age a cancellation is found within a second. */
const POLL_MS = 500
/** How often to look when they are told of: notifications can be missed, in ms. */
const NET_MS = 3_000
/** Attempts that began less than this ago are left for the next look, in ms: most end before it. */
const YOUNG_MS = 250

/**
 * Finds out which running attempts have lost their claims, because somebody cancelled the job or took it away, and aborts their
 * signals. A notification says where to look; without one, it looks at all that have run for a while. And, as nobody may have told of a pause either,
 * whether what is in hand and waits for a slot may still start.
 */
export class ClaimCheck implements Service {
  readonly #deps: ClaimCheckDeps
  readonly #loop: Loop
  /** Jobs that something was told of. It may be about an earlier claim: what the table says counts. */
  #told = new Set<string>()

  constructor(deps: ClaimCheckDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#check(),
      onError: (error) => deps.events.emit('error', { where: 'looking for lost claims', error }),
      maxPauseMs: 1_000,
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** Looks at one job now. */
  look(jobId: string): void {
    this.#told.add(jobId)
    this.#loop.wake()
  }

  /** Looks at all now that have run for a while. */
  lookAtAll(): void {
    this.#loop.wake()
  }

  async #check(): Promise<number> {
    const { runner, isNotified } = this.#deps
    const told = this.#told
    this.#told = new Set()
    const suspects = runner.waitingAmong(told)
    const attempts = [...runner.running].filter(
      (attempt) => !attempt.aborted && (told.has(attempt.job.id) || attempt.runningMs > YOUNG_MS),
    )
    const claims = [...attempts.map(claimOf), ...suspects]
    if (claims.length > 0) await this.#abortLost(claims, told)
    await this.#findHeld()
    return isNotified() ? NET_MS : jittered(POLL_MS, 0.1)
  }

  async #abortLost(claims: readonly Claim[], told: ReadonlySet<string>): Promise<void> {
    const { runner } = this.#deps
    const lost = new Map((await this.#findLost(claims, told)).map((claim) => [keyOf(claim), claim]))
    if (lost.size === 0) return
    runner.forget((job) => lost.has(keyOf(job)))
    // An attempt that ended while the question was under way has settled itself, and is not among them.
    for (const attempt of runner.running) {
      const claim = lost.get(keyOf(attempt.job))
      if (claim) attempt.abort(claim.cancelled ? jobCancelled(claim.reason) : leaseLost())
    }
  }

  async #findHeld(): Promise<void> {
    const { database, queues, runner, onHold } = this.#deps
    const inHand = [...runner.lanes].flatMap(([queue, lane]) =>
      [...lane.groups()].map((group) => ({ queue, group })),
    )
    if (inHand.length === 0) return
    for (const { queue, group } of await queues.findHeld(database, inHand))
      onHold(queue, group === '' ? null : group)
  }

  async #findLost(claims: readonly Claim[], told: ReadonlySet<string>): Promise<LostClaim[]> {
    try {
      return await this.#deps.store.findLost(this.#deps.database, claims)
    } catch (error) {
      for (const id of told) this.#told.add(id) // the next round asks again
      throw error
    }
  }
}

const keyOf = ({ id, fence }: { readonly id: string; readonly fence: number }): string => `${id} ${fence}`
