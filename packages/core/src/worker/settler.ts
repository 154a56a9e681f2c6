import { isPgqError } from '../errors.ts'
import type { Events } from '../events.ts'
import { released } from '../job/transition.ts'
import { Batcher } from '../runtime/batcher.ts'
import { jittered } from '../runtime/clock.ts'
import type { Database } from '../store/database.ts'
import { isRetryable } from '../store/database-error.ts'
import type { JobStore } from '../store/job-store.ts'
import { changesOf, claimOf, resultLength, type Settlement, withoutDetails } from './settlement.ts'
import { oncePerJob } from './once-per-job.ts'
import { writeWhileStanding } from './standing.ts'

/** What the settler needs from outside. */
export interface SettlerDeps {
  readonly database: Database
  readonly store: JobStore
  readonly events: Events
  readonly onSettled: () => void
  /** Told when a job will be due again after a while. */
  readonly onDelayed: (delayMs: number) => void
}

/** The most attempts settled by one statement. */
const BATCH = 1_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000
/** While a row is locked by somebody else: the first and the longest pause between two tries, in ms. */
const FIRST_LOCKED_PAUSE_MS = 2
const LONGEST_LOCKED_PAUSE_MS = 500
/** While the database refuses to settle a job: the longest pause between two tries, in ms. */
const REFUSED_PAUSE_MS = 5_000
/** When a COMMIT did not go through: when to run the job again, in ms. */
const LOST_COMMIT_DELAY_MS = 1_000
/** The most characters of results in one statement: jsonb holds 256 MB, and a result may have one. */
const BATCH_CHARACTERS = 16 * 1024 * 1024

/**
 * Writes how attempts ended, in batches, and says so once the database has accepted it. A settle is repeated for as long
 * as the database asks for it, since a database error is never a job's failure: repeating is safe, because a claim
 * can be settled once only. Nothing that was added is dropped, except when `abandon` is called at the end of a stop;
 * then the lease runs out and the jobs are rescued.
 */
export class Settler {
  readonly #deps: SettlerDeps
  readonly #database: Database
  readonly #store: JobStore
  readonly #events: Events
  readonly #batcher: Batcher<Settlement>
  readonly #unsettled = new Set<Settlement>()
  #abandoned = false
  /** What goes on beside the batches. */
  readonly #beside = new Set<Promise<void>>()

  constructor(deps: SettlerDeps) {
    this.#deps = deps
    this.#database = deps.database
    this.#store = deps.store
    this.#events = deps.events
    this.#batcher = new Batcher({
      flush: (batch) => this.#settle(batch),
      maxItems: BATCH,
      maxWeight: BATCH_CHARACTERS,
      weigh: resultLength,
    })
  }

  /** How many attempts have ended that the database does not know of yet. */
  get unsettled(): number {
    return this.#unsettled.size
  }

  /** The ids of the jobs whose attempts have ended so. */
  ids(): string[] {
    return [...this.#unsettled].map(({ job }) => job.id)
  }

  add(settlement: Settlement): void {
    this.#unsettled.add(settlement)
    this.#batcher.add(settlement)
  }

  /**
   * Finds out about a transactional attempt whose COMMIT got no answer: what it wrote is there exactly if its job is in the
   * history. If not, the attempt is given back; that it did not go through was no fault of its own.
   */
  resolve(settlement: Settlement): void {
    this.#unsettled.add(settlement)
    this.#goOnBeside(this.#resolve(settlement))
  }

  /** Resolves when everything that was added is settled or abandoned. */
  async idle(): Promise<void> {
    while ((this.#batcher.isBusy || this.#beside.size > 0) && !this.#abandoned)
      await Promise.all([this.#batcher.idle(), ...this.#beside])
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
        this.#deps.onDelayed(transition.delayMs)
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
      case 'pending': {
        const { cause, delayMs = 0 } = transition
        if (delayMs > 0) this.#deps.onDelayed(delayMs)
        if (cause !== 'snoozed') return this.#events.emit('job.released', { job })
        return this.#events.emit('job.snoozed', { job, durationMs, delayMs })
      }
    }
  }

  async #resolve(settlement: Settlement): Promise<void> {
    const release = { ...settlement, transition: released(LOST_COMMIT_DELAY_MS) }
    const deps = { session: this.#database, store: this.#store, patienceMs: Infinity }
    // Until the COMMIT arrives, or the server notices that it never will, the transaction holds the row, and nothing can be written.
    const write = async (): Promise<boolean> => this.#abandoned || (await this.#write([release])).size > 0
    const outcome = await this.#persistently('finding out about a commit', false, async () => {
      if ((await writeWhileStanding(deps, claimOf(settlement), write)) === 'written') return release
      const status = (await this.#store.findSettled(this.#database, [settlement.job])).get(settlement.job.id)
      return status === undefined ? 'lost' : status === 'completed' ? settlement : release
    })
    if (outcome === 'lost') this.#endLost(settlement)
    else if (outcome !== undefined && !this.#abandoned) this.#end(settlement, outcome)
  }

  async #settle(batch: readonly Settlement[]): Promise<void> {
    for (const group of oncePerJob(batch)) await this.#settleBatch(group, false)
    this.#deps.onSettled()
  }

  /** Settles a batch, and what the statement passed over beside it. A batch that the database refuses, or that is too much for its time limit, goes in halves. */
  async #settleBatch(batch: readonly Settlement[], repeatedBefore: boolean): Promise<void> {
    try {
      await this.#persistently('settling jobs', batch.length > 1, async (repeated) => {
        const accepted = await this.#write(batch)
        this.#tellAll(batch, accepted, repeated || repeatedBefore)
      })
    } catch (error) {
      this.#events.emit('error', { where: `settling ${batch.length} jobs`, error })
      this.#goOnBeside(
        batch.length === 1 ? this.#settleRefused(batch[0] as Settlement) : this.#settleHalves(batch),
      )
    }
  }

  async #settleHalves(batch: readonly Settlement[]): Promise<void> {
    const middle = batch.length >> 1
    await this.#settleBatch(batch.slice(0, middle), true)
    await this.#settleBatch(batch.slice(middle), true)
    this.#deps.onSettled()
  }

  /** Does something until the database lets it, with growing pauses; undefined when it was abandoned. */
  async #persistently<T>(
    where: string,
    splits: boolean,
    work: (repeated: boolean) => Promise<T>,
  ): Promise<T | undefined> {
    let repeated = false
    for (let pauseMs = FIRST_PAUSE_MS; !this.#abandoned; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        return await work(repeated)
      } catch (error) {
        // Cancelled by a time limit: the same again would be too much again.
        if (!isRetryable(error) || (splits && isPgqError(error) && error.sqlState === '57014')) throw error
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

  /** Tells of what was accepted; what is missing is looked at beside. */
  #tellAll(batch: readonly Settlement[], accepted: Set<string>, repeated: boolean): void {
    const missing: Settlement[] = []
    for (const settlement of batch) {
      if (!accepted.has(settlement.job.id)) missing.push(settlement)
      else this.#end(settlement)
    }
    if (missing.length > 0) this.#goOnBeside(this.#settleMissing(missing, repeated))
  }

  #end(settlement: Settlement, outcome = settlement): void {
    this.#unsettled.delete(settlement)
    this.tell(outcome)
  }

  /**
   * Settles what a batch has passed over. Those that are lost are told so; the others are in somebody's hand at the moment,
   * a person's or that of another worker's claim, and are tried again together until none is left.
   */
  async #settleMissing(batch: readonly Settlement[], repeated: boolean): Promise<void> {
    let missing = batch
    for (let pauseMs = FIRST_LOCKED_PAUSE_MS; missing.length > 0 && !this.#abandoned; pauseMs *= 2) {
      await new Promise((resolve) =>
        setTimeout(resolve, jittered(Math.min(pauseMs, LONGEST_LOCKED_PAUSE_MS))),
      )
      try {
        const round = missing
        const again = await this.#persistently('settling jobs that were locked', true, (before) =>
          this.#settleRound(round, repeated || before),
        )
        missing = again ?? []
      } catch {
        // The database refuses something in it: as with any batch, that is found out and told there.
        return this.#settleBatch(missing, true)
      }
    }
    this.#deps.onSettled()
  }

  /** One try of all, and a look at what is lost. Returns what is still in somebody's hand. */
  async #settleRound(round: readonly Settlement[], repeated: boolean): Promise<readonly Settlement[]> {
    const accepted = await this.#write(round)
    const rest = round.filter((settlement) => !accepted.has(settlement.job.id))
    const lost = new Set(
      (await this.#store.findLost(this.#database, rest.map(claimOf))).map((claim) => claim.id),
    )
    const gone = rest.filter((settlement) => lost.has(settlement.job.id))
    // Of a settle that is repeated the first try may have gone through: then it is told as it was.
    const mayBeDone = repeated && gone.length > 0
    const settled = mayBeDone
      ? await this.#store.findSettled(
          this.#database,
          gone.map(({ job }) => job),
        )
      : new Map<string, string>()
    for (const settlement of round) {
      if (accepted.has(settlement.job.id) || settled.has(settlement.job.id)) this.#end(settlement)
      else if (lost.has(settlement.job.id)) this.#endLost(settlement)
    }
    return rest.filter((settlement) => !lost.has(settlement.job.id))
  }

  #endLost(settlement: Settlement): void {
    this.#unsettled.delete(settlement)
    this.#events.emit('job.lost', { job: settlement.job })
  }

  /** Settles one job that the database refuses: without what could be refused in it, and again and again. */
  async #settleRefused(settlement: Settlement): Promise<void> {
    const form = withoutDetails(settlement) ?? settlement
    for (let pauseMs = FIRST_PAUSE_MS; !this.#abandoned; pauseMs = Math.min(REFUSED_PAUSE_MS, pauseMs * 2)) {
      await new Promise((resolve) => setTimeout(resolve, jittered(pauseMs, 0.5)))
      try {
        const accepted = await this.#write([form])
        this.#unsettled.delete(settlement)
        this.#unsettled.add(form)
        this.#tellAll([form], accepted, true)
        return this.#deps.onSettled()
      } catch (error) {
        this.#events.emit('error', { where: `settling job ${settlement.job.id}`, error })
      }
    }
  }

  #goOnBeside(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.#events.emit('error', { where: 'settling jobs', error }))
      .finally(() => this.#beside.delete(done))
    this.#beside.add(done)
  }
}
