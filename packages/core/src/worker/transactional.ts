import { PgqError } from '../errors.ts'
import type { AttemptResult, Transition } from '../job/transition.ts'
import { guardTransaction } from '../store/guarded-transaction.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { Database } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Attempt } from './attempt.ts'

/** How a transactional attempt went: committed with its completion, or to be settled like any other, or fenced off. */
export type TransactionalResult =
  | { readonly kind: 'committed'; readonly transition: Transition }
  | { readonly kind: 'lost' }
  /** COMMIT was sent and no answer came: the history knows. */
  | { readonly kind: 'unknown'; readonly transition: Transition }
  | AttemptResult

/** When there is no connection for a transaction, when to try again, in ms. */
const NO_CONNECTION_DELAY_MS = 1_000

/** Carries the outcome of a handler that did not return through the rollback. */
class Rollback extends Error {
  readonly result: AttemptResult | { readonly kind: 'lost' }

  constructor(result: AttemptResult | { readonly kind: 'lost' }) {
    super('roll back')
    this.result = result
  }
}

/**
 * Runs a handler in a transaction and completes its job in the same one:
 *
 *     BEGIN; what the handler writes; the fenced settle, which must find the claim; COMMIT
 *
 * No lock on the job is held while the handler runs. Unless the settle moves exactly this claim the transaction rolls
 * back, so that of all the attempts of a job, one at most has effects.
 */
export async function runInTransaction(
  attempt: Attempt,
  deps: {
    readonly database: Database
    readonly store: JobStore
    readonly decide: (result: AttemptResult) => Transition
  },
): Promise<TransactionalResult> {
  const claim: Claim = { id: attempt.job.id, fence: attempt.job.fence, workerId: attempt.workerId }
  let began = false
  let completing = false
  let ending: Transition | undefined
  try {
    await deps.database.transaction(async (session) => {
      began = true
      const guard = guardTransaction(session.queryable)
      const result = await attempt.run(guard.tx)
      await guard.flush()
      guard.close()
      if (result.kind !== 'returned') throw new Rollback(result)
      if (attempt.settledEarly) throw new Rollback({ kind: 'lost' })
      const transition = deps.decide(result)
      if (transition.to !== 'completed') throw new Rollback(result)
      completing = true
      const accepted = await deps.store.settleCompleted(session, [{ ...claim, result: transition.result }])
      if (!accepted.has(claim.id)) throw new Rollback({ kind: 'lost' })
      ending = transition
    })
    return { kind: 'committed', transition: ending as unknown as Transition }
  } catch (error) {
    if (error instanceof Rollback) return error.result
    // No connection to be had: the handler has not begun, and the attempt costs nothing.
    if (!began) return { kind: 'interrupted', delayMs: NO_CONNECTION_DELAY_MS }
    if (!completing || !isUnanswered(error)) return { kind: 'threw', error }
    // The handler was done, and the database went away: before COMMIT was sent nothing has happened, after it nobody knows.
    return ending === undefined
      ? { kind: 'interrupted', delayMs: NO_CONNECTION_DELAY_MS }
      : { kind: 'unknown', transition: ending }
  }
}

const isUnanswered = (error: unknown): boolean =>
  error instanceof PgqError && error.code === 'DATABASE_UNAVAILABLE'
