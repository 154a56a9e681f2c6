import { monotonicMs, startTimer } from '../runtime/clock.ts'
import type { Handler } from './handler.ts'
import type { Lane } from './lane.ts'

/** How much a new measurement counts against the older ones. */
const WEIGHT = 0.2
/** What a run is supposed to take before one has ended, in ms. */
const FIRST_GUESS_MS = 1
/** How long the last free slot is kept for a lane whose next job is being claimed, in ms: a claim takes a few. */
const KEEP_MS = 50

/** Whether so many slots are not enough for all that these handlers could run at once. */
export const isTooFew = (slots: number, handlers: readonly Handler[]): boolean =>
  slots < handlers.reduce((sum, handler) => sum + Math.min(handler.concurrency, slots), 0)

/** What one lane has had of the slots. */
interface Account {
  /** The time that its runs took, divided by its weight: who has had least is next. */
  used: number
  /** How long a run takes, on average. */
  msPerRun: number | undefined
  /** What the runs under way were charged when they began; what they really took is charged in place of it. */
  readonly charged: number[]
}

/** What it needs from outside. */
export interface SharesDeps {
  /** Looks for more jobs. */
  readonly onRoom: () => void
  /** Asks again who is next. */
  readonly onDue: () => void
}

/**
 * Shares the slots of a worker between its lanes while there are not enough: by the time that runs take, in proportion to
 * the weights. Counting runs instead would give a queue of slow jobs nearly all of the time.
 *
 * A run is charged what it will probably take when it begins, and the difference when it ends. Nobody saves up: a lane that
 * comes back after a pause starts where the least served of the others stands, and can't keep them out for as long as it was away.
 */
export class Shares {
  readonly #deps: SharesDeps
  readonly #accounts: ReadonlyMap<Lane, Account>
  /** The lanes that wanted a slot at the last look, or had one. */
  #active: ReadonlySet<Lane> = new Set()
  /** Since when the last free slot is kept. */
  #keptSinceMs: number | undefined

  constructor(lanes: readonly Lane[], deps: SharesDeps) {
    this.#deps = deps
    this.#accounts = new Map(lanes.map((lane) => [lane, { used: 0, msPerRun: undefined, charged: [] }]))
  }

  /**
   * The lane that gets the next slot: of those with a job, who has had least. The last free slot is kept for a moment for one
   * that has had even less and whose next job is not here yet, or lanes would take turns whatever their weights.
   */
  next(freeSlots: number): Lane | undefined {
    const lanes = [...this.#accounts.keys()]
    const ready = lanes.filter((lane) => lane.isReady)
    if (ready.length === 0) return undefined
    const awaited = lanes.filter((lane) => lane.hasFreeSlot && lane.waiting === 0 && !lane.isExhausted)
    this.#welcome([...ready, ...awaited])
    const first = this.#leastServed(ready)
    const rival = freeSlots === 1 && awaited.length > 0 ? this.#leastServed(awaited) : undefined
    if (rival && this.#used(rival) < this.#used(first) && this.#keepSlot()) return undefined
    return first
  }

  /** All lanes, those first that have had least. */
  inTurn(): Lane[] {
    return [...this.#accounts.keys()].toSorted((one, other) => this.#used(one) - this.#used(other))
  }

  /** A run has taken a slot. */
  began(lane: Lane): void {
    this.#keptSinceMs = undefined
    const account = this.#of(lane)
    const charge = (account.msPerRun ?? FIRST_GUESS_MS) / lane.handler.weight
    account.charged.push(charge)
    account.used += charge
  }

  /** A run has given its slot back. */
  ended(lane: Lane, tookMs: number): void {
    const account = this.#of(lane)
    account.used += tookMs / lane.handler.weight - (account.charged.shift() ?? 0)
    account.msPerRun =
      account.msPerRun === undefined ? tookMs : account.msPerRun + WEIGHT * (tookMs - account.msPerRun)
  }

  /** Keeps the slot free and looks for jobs, but not for long: there may be none to be had. */
  #keepSlot(): boolean {
    const now = monotonicMs()
    if (this.#keptSinceMs === undefined) {
      this.#keptSinceMs = now
      startTimer(KEEP_MS, this.#deps.onDue)
    }
    if (now - this.#keptSinceMs >= KEEP_MS - 1) return false
    this.#deps.onRoom()
    return true
  }

  #leastServed(lanes: readonly Lane[]): Lane {
    return lanes.reduce((least, lane) => (this.#used(lane) < this.#used(least) ? lane : least))
  }

  /** Those that come back begin where the least served of the others stands. */
  #welcome(wanting: readonly Lane[]): void {
    const active = new Set(wanting)
    for (const lane of this.#accounts.keys()) if (lane.running > 0) active.add(lane)
    let least = Infinity
    for (const lane of active) if (this.#active.has(lane)) least = Math.min(least, this.#used(lane))
    if (least < Infinity) {
      for (const lane of active)
        if (!this.#active.has(lane)) this.#of(lane).used = Math.max(this.#used(lane), least)
    }
    this.#active = active
  }

  #used(lane: Lane): number {
    return this.#of(lane).used
  }

  #of(lane: Lane): Account {
    return this.#accounts.get(lane) as Account
  }
}
