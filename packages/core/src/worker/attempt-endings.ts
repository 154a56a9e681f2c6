import { type AttemptResult, decideTransition, type Transition } from '../job/transition.ts'
import type { Database } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Attempt } from './attempt.ts'
import { Forgiveness } from './forgiveness.ts'
import { heedRateLimit, type HoldingDeps } from './heed-rate-limit.ts'
import type { Settlement } from './settlement.ts'
import type { Settler } from './settler.ts'
import { runInTransaction } from './transactional.ts'

/** What is needed from outside to end attempts. */
export interface AttemptEndingsDeps extends HoldingDeps {
  /** Where transactional handlers get their transactions; opened on first use. */
  readonly transactions: () => Database
  readonly store: JobStore
  readonly settler: Settler
}

/** After an error of our own, when to run the job again, in ms. */
const BROKEN_DELAY_MS = 5_000

/** Runs attempts to their end, and hands what came of them to the settler. */
export class AttemptEndings {
  readonly #deps: AttemptEndingsDeps
  readonly #forgiveness = new Forgiveness()

  constructor(deps: AttemptEndingsDeps) {
    this.#deps = deps
  }

  /** Runs the handler and settles the attempt; never rejects. */
  async run(attempt: Attempt): Promise<void> {
    try {
      if (attempt.handler.transactional) await this.#runTransactional(attempt)
      else this.#settle(attempt, await heedRateLimit(this.#deps, attempt.job, await attempt.run()))
    } catch (error) {
      // What should not happen: an error of our own, outside the handler. The attempt is given back.
      this.#deps.events.emit('error', { where: `running job ${attempt.job.id}`, error })
      this.#settle(attempt, { kind: 'interrupted', delayMs: BROKEN_DELAY_MS })
    }
  }

  /** Settles an attempt whose handler has outlived its time limit. */
  overrun(attempt: Attempt, result: AttemptResult): void {
    this.#deps.events.emit('job.stuck', { job: attempt.job, runningMs: attempt.runningMs })
    this.settleEarly(attempt, result)
  }

  /** Settles an attempt whose handler still runs; what it does later counts no more. */
  settleEarly(attempt: Attempt, result: AttemptResult): void {
    this.#settle(attempt, result)
    attempt.settledEarly = true
  }

  async #runTransactional(attempt: Attempt): Promise<void> {
    const { store, settler, events } = this.#deps
    const decide = (result: AttemptResult): Transition => this.#decide(attempt, result)
    const deps = { database: this.#deps.transactions(), store, decide, forgiveness: this.#forgiveness }
    const result = await runInTransaction(attempt, deps)
    const { job } = attempt
    if (result.kind === 'committed')
      settler.tell({ job, transition: result.transition, durationMs: attempt.runningMs })
    else if (result.kind === 'lost') events.emit('job.lost', { job })
    else if (result.kind === 'unknown') settler.resolve(settlementOf(attempt, result.transition))
    else this.#settle(attempt, await heedRateLimit(this.#deps, attempt.job, result))
  }

  #settle(attempt: Attempt, result: AttemptResult): void {
    if (attempt.settledEarly) return
    const { events, settler } = this.#deps
    const { job, aborted } = attempt
    // The database has taken these jobs away already; there is nothing to write.
    if (aborted?.code === 'LEASE_LOST') return events.emit('job.lost', { job })
    if (aborted?.code === 'JOB_CANCELLED') {
      const error = { name: aborted.code, message: aborted.message }
      return settler.tell({
        job,
        transition: { to: 'cancelled', error },
        durationMs: attempt.runningMs,
      })
    }
    settler.add(settlementOf(attempt, this.#decide(attempt, result)))
  }

  #decide(attempt: Attempt, result: AttemptResult): Transition {
    return decideTransition(attempt.job, result, attempt.handler.queue.backoff)
  }
}

const settlementOf = (attempt: Attempt, transition: Transition): Settlement => ({
  job: attempt.job,
  workerId: attempt.workerId,
  transition,
  durationMs: attempt.runningMs,
})
