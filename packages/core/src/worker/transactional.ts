import { isPgqError, PgqError } from '../errors.ts'
import type { AttemptResult, Transition } from '../job/transition.ts'
import { sqlStateOf } from '../store/database-error.ts'
import { guardTransaction } from '../store/guarded-transaction.ts'
import { LazyTransaction } from '../store/lazy-transaction.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { Database } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Attempt } from './attempt.ts'
import type { Forgiveness } from './forgiveness.ts'
import { writeWhileStanding } from './standing.ts'

/** How a transactional attempt went: committed with its completion, or to be settled like any other, or fenced off. */
export type TransactionalResult =
  | { readonly kind: 'committed'; readonly transition: Transition }
  | { readonly kind: 'lost' }
  /** COMMIT was sent and no answer came: the history knows. */
  | { readonly kind: 'unknown'; readonly transition: Transition }
  | AttemptResult

/** When there is no connection for a transaction, when to try again, in ms. */
const NO_CONNECTION_DELAY_MS = 1_000

/** Thrown inside the transaction when the claim is gone, so that it rolls back. */
const CLAIM_GONE = new PgqError('LEASE_LOST', 'the claim no longer stood when the transaction was to commit')

/** Thrown when somebody else has had the row of the job locked for so long, in ms, that waiting with a transaction open does harm. */
const STAYS_LOCKED = new PgqError('DATABASE_CONFLICT', 'the row of the job stayed locked by somebody else')
const LOCKED_MS = 10_000

/** What a transactional attempt needs from outside. */
export interface TransactionalDeps {
  readonly database: Database
  readonly store: JobStore
  readonly decide: (result: AttemptResult) => Transition
  /** Says whether an attempt that lost its connection may be made again at no cost. */
  readonly forgiveness: Forgiveness
}

/** The transaction was idle, or open, for longer than the database lets it be: waiting for the next attempt would end the same. */
const TOOK_TOO_LONG = new Set(['25P03', '25P04', '57P05'])

/**
 * Runs a handler in a transaction and completes its job in the same one:
 *
 *     BEGIN (with the first query); what the handler writes; the fenced settle, which must find the claim; COMMIT
 *
 * No lock on the job is held while the handler runs. Unless the settle moves exactly this claim the transaction rolls
 * back, so that of all the attempts of a job, one at most has effects. A handler that sends no query has no effects to
 * protect, and is settled like any other.
 */
export async function runInTransaction(
  attempt: Attempt,
  deps: TransactionalDeps,
): Promise<TransactionalResult> {
  const transaction = new LazyTransaction(deps.database)
  const guard = guardTransaction(transaction)
  const result = await attempt.run(guard.tx)
  await guard.flush()
  guard.close()
  // No connection was to be had: nothing has happened, and the attempt costs nothing.
  if (transaction.beginError !== undefined) return { kind: 'interrupted', delayMs: NO_CONNECTION_DELAY_MS }
  if (!transaction.isBegun) return result
  const transition = deps.decide(result)
  if (transition.to === 'completed' && !attempt.settledEarly)
    return orFirstFailure(await complete(attempt, transition, transaction, deps), guard.failure)
  await transaction.rollBack()
  return attempt.settledEarly ? { kind: 'lost' } : result
}

/** A failed query leaves the transaction aborted, and whoever comes next learns only that. The query's own error says more. */
function orFirstFailure(result: TransactionalResult, failure: unknown): TransactionalResult {
  const isConsequence = result.kind === 'threw' && sqlStateOf(result.error) === '25P02'
  return isConsequence && failure !== undefined ? { kind: 'threw', error: failure } : result
}

async function complete(
  attempt: Attempt,
  transition: Extract<Transition, { to: 'completed' }>,
  transaction: LazyTransaction,
  { store, forgiveness }: TransactionalDeps,
): Promise<TransactionalResult> {
  const claim: Claim = { id: attempt.job.id, fence: attempt.job.fence, workerId: attempt.workerId }
  let settled = false
  try {
    await transaction.commit(async (session) => {
      if (!session.isOpen())
        throw new PgqError('TRANSACTION_CLOSED', 'a query of the handler has ended its transaction')
      const write = async (): Promise<boolean> =>
        (await store.settleCompleted(session, [{ ...claim, result: transition.result }])).has(claim.id)
      const outcome = await writeWhileStanding({ session, store, patienceMs: LOCKED_MS }, claim, write)
      if (outcome === 'lost') throw CLAIM_GONE
      if (outcome === 'locked') throw STAYS_LOCKED
      settled = true
    })
    forgiveness.forget(claim.id)
    return { kind: 'committed', transition }
  } catch (error) {
    if (error === CLAIM_GONE) return { kind: 'lost' }
    if (error === STAYS_LOCKED) return { kind: 'interrupted', delayMs: NO_CONNECTION_DELAY_MS }
    if (!isPgqError(error, 'DATABASE_UNAVAILABLE')) return { kind: 'threw', error }
    // The handler was done, and the database went away: after COMMIT was sent nobody knows what has happened.
    if (settled) return { kind: 'unknown', transition }
    // Before it nothing has, and the attempt is not to blame, unless it was its own doing, or happens again and again.
    if (TOOK_TOO_LONG.has(sqlStateOf(error) ?? '') || !forgiveness.ask(claim.id))
      return { kind: 'threw', error }
    return { kind: 'interrupted', delayMs: NO_CONNECTION_DELAY_MS }
  }
}
