import { PgqError } from '../errors.ts'
import type { Events } from '../events.ts'
import type { ClaimedJob } from '../job/job.ts'
import type { Transition } from '../job/transition.ts'
import { Batcher } from '../runtime/batcher.ts'
import { jittered } from '../runtime/clock.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { Database } from '../store/database.ts'
import { isRetryable } from '../store/database-error.ts'
import type { CompletedChange, EndedChange, JobStore, WaitingChange } from '../store/job-store.ts'

/** The end of one attempt, to be written. */
export interface Settlement {
  readonly job: ClaimedJob
  readonly workerId: string
  readonly transition: Transition
  readonly durationMs: number
}

/** The most attempts settled by one statement. */
const BATCH = 1_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000

/**
 * Writes how attempts ended, in batches, and says so once the database has accepted it. A settle is repeated for as long
 * as the database asks for it, since a database error is never a job's failure: repeating is safe, because a claim
 * can be settled once only. Nothing that was added is dropped, except when `abandon` is called at the end of a stop;
 * then the lease runs out and the jobs are rescued.
 */
export class Settler {
  readonly #database: Database
  readonly #store: JobStore
  readonly #events: Events
  readonly #batcher: Batcher<Settlement>
  readonly #onSettled: () => void
  #unsettled = 0
  #abandoned = false
  #resolving: Promise<unknown> = Promise.resolve()

  constructor(deps: { database: Database; store: JobStore; events: Events; onSettled: () => void }) {
    this.#database = deps.database
    this.#store = deps.store
    this.#events = deps.events
    this.#onSettled = deps.onSettled
    this.#batcher = new Batcher({ flush: (batch) => this.#settle(batch), maxItems: BATCH })
  }

  /** How many attempts have ended that the database does not know of yet. */
  get unsettled(): number {
    return this.#unsettled
  }

  add(settlement: Settlement): void {
    this.#unsettled++
    this.#batcher.add(settlement)
  }

  /**
   * Finds out about a transactional attempt whose COMMIT got no answer: what it wrote is there exactly if its job is in the
   * history. If not, the attempt is given back; that it did not go through was no fault of its own.
   */
  resolve(settlement: Settlement): void {
    this.#unsettled++
    this.#resolving = Promise.all([this.#resolving, this.#resolve(settlement)])
  }

  /** Resolves when everything that was added is settled or abandoned. */
  async idle(): Promise<void> {
    await this.#resolving
    await this.#batcher.idle()
  }

  /** Gives up what cannot be written. */
  abandon(): void {
    this.#abandoned = true
  }

  /** Tells the world how an attempt ended. */
  tell({ job, transition, durationMs }: Omit<Settlement, 'workerId'>): void {
    switch (transition.to) {
      case 'completed': {
        if (!this.#events.wants('job.completed')) return
        const { problem } = transition.result
        return this.#events.emit('job.completed', {
          job,
          durationMs,
          ...(problem !== undefined && { problem }),
        })
      }
      case 'failed':
        return this.#events.emit('job.failed', {
          job,
          durationMs,
          error: transition.error,
          delayMs: transition.delayMs,
        })
      case 'dead':
        return this.#events.emit('job.dead', { job, durationMs, error: transition.error })
      case 'cancelled':
        return this.#events.emit('job.cancelled', { job, durationMs, error: transition.error })
      case 'pending':
        if (transition.delayMs === undefined) return this.#events.emit('job.released', { job })
        return this.#events.emit('job.snoozed', { job, durationMs, delayMs: transition.delayMs })
    }
  }

  async #resolve(settlement: Settlement): Promise<void> {
    const claim = claimOf(settlement)
    const ended = await this.#persistently('finding out about a commit', () =>
      this.#store.findEnded(this.#database, [claim]),
    )
    this.#unsettled--
    if (ended?.has(claim.id)) this.tell(settlement)
    else if (ended) this.add({ ...settlement, transition: { to: 'pending' } })
  }

  async #settle(batch: readonly Settlement[]): Promise<void> {
    await this.#settlePersistently(batch)
    this.#unsettled -= batch.length
    this.#onSettled()
  }

  async #settlePersistently(batch: readonly Settlement[]): Promise<void> {
    try {
      await this.#persistently('settling jobs', async (repeated) =>
        this.#tellAll(batch, await this.#write(batch), repeated),
      )
    } catch (error) {
      await this.#settleApart(batch, error)
    }
  }

  /** Does something until the database lets it, with growing pauses; undefined when it was abandoned. */
  async #persistently<T>(where: string, work: (repeated: boolean) => Promise<T>): Promise<T | undefined> {
    let repeated = false
    for (let pauseMs = FIRST_PAUSE_MS; !this.#abandoned; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        return await work(repeated)
      } catch (error) {
        if (!isRetryable(error)) throw error
        this.#events.emit('error', { where, error })
        repeated = true
        await new Promise((resolve) => setTimeout(resolve, jittered(pauseMs, 0.5)))
      }
    }
    return undefined
  }

  /** One statement for each kind of ending that occurs; the usual batch has one. Returns the ids whose claim still stood. */
  async #write(batch: readonly Settlement[]): Promise<Set<string>> {
    const { completed, ended, waiting } = changesOf(batch)
    const accepted: Set<string>[] = []
    if (completed.length > 0) accepted.push(await this.#store.settleCompleted(this.#database, completed))
    if (ended.length > 0) accepted.push(await this.#store.settleEnded(this.#database, ended))
    if (waiting.length > 0) accepted.push(await this.#store.settleWaiting(this.#database, waiting))
    return accepted.length === 1 ? (accepted[0] as Set<string>) : new Set(accepted.flatMap((ids) => [...ids]))
  }

  async #tellAll(batch: readonly Settlement[], accepted: Set<string>, repeated: boolean): Promise<void> {
    const missing = accepted.size === batch.length ? [] : batch.filter(({ job }) => !accepted.has(job.id))
    const lost = missing.length > 0 ? await this.#confirmLost(missing, repeated) : new Set<string>()
    for (const settlement of batch) {
      if (lost.has(settlement.job.id)) this.#events.emit('job.lost', { job: settlement.job })
      else this.tell(settlement)
    }
  }

  /**
   * Looks at missing claims again before they are called lost. A row that somebody updated while the settle waited for
   * its lock (its own progress, for one) is invisible to that statement, not gone; and of a repeated settle the
   * first try may have gone through.
   */
  async #confirmLost(missing: readonly Settlement[], repeated: boolean): Promise<Set<string>> {
    const accepted = await this.#write(missing)
    const gone = missing.filter(({ job }) => !accepted.has(job.id))
    const ended =
      repeated && gone.length > 0
        ? await this.#store.findEnded(this.#database, gone.map(claimOf))
        : new Set<string>()
    return new Set(gone.filter(({ job }) => !ended.has(job.id)).map(({ job }) => job.id))
  }

  /** The database refuses something in the batch: settle one by one, so that the others do not suffer. */
  async #settleApart(batch: readonly Settlement[], error: unknown): Promise<void> {
    if (batch.length > 1) {
      for (const settlement of batch) await this.#settlePersistently([settlement])
      return
    }
    const settlement = batch[0] as Settlement
    this.#events.emit('error', { where: `settling job ${settlement.job.id}`, error })
    const plainer = withoutDetails(settlement)
    if (plainer) await this.#settlePersistently([plainer])
  }
}

export const claimOf = ({ job, workerId }: Pick<Settlement, 'job' | 'workerId'>): Claim => ({
  id: job.id,
  fence: job.fence,
  workerId,
})

function changesOf(batch: readonly Settlement[]): {
  completed: CompletedChange[]
  ended: EndedChange[]
  waiting: WaitingChange[]
} {
  const completed: CompletedChange[] = []
  const ended: EndedChange[] = []
  const waiting: WaitingChange[] = []
  for (const settlement of batch) {
    const { transition } = settlement
    const claim = claimOf(settlement)
    if (transition.to === 'completed') completed.push({ ...claim, result: transition.result })
    else if (transition.to === 'dead' || transition.to === 'cancelled')
      ended.push({ ...claim, status: transition.to, error: transition.error })
    else if (transition.to === 'failed')
      waiting.push({ ...claim, status: 'failed', delayMs: transition.delayMs, error: transition.error })
    else
      waiting.push({
        ...claim,
        status: 'pending',
        ...(transition.delayMs !== undefined && { delayMs: transition.delayMs }),
      })
  }
  return { completed, ended, waiting }
}

/** The same ending with nothing in it that the database could refuse; undefined when there is nothing left to leave out. */
function withoutDetails(settlement: Settlement): Settlement | undefined {
  const { transition } = settlement
  const problem = 'the database refused to store the result'
  if (transition.to === 'completed') {
    return transition.result.json === null
      ? undefined
      : { ...settlement, transition: { to: 'completed', result: { json: null, problem } } }
  }
  if (transition.to === 'pending' || transition.error.name === 'Unstorable') return undefined
  const error = { name: 'Unstorable', message: 'the database refused to store the error' }
  return { ...settlement, transition: { ...transition, error } }
}

/** The reason given to attempts that have to end because their claim is gone. */
export const leaseLost = (): PgqError =>
  new PgqError(
    'LEASE_LOST',
    'the claim of this attempt no longer stands: the job was rescued or changed by somebody else',
  )
