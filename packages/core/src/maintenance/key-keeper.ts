import type { Events } from '../events.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import type { Database } from '../store/database.ts'
import type { KeyPlace, KeyStore } from '../store/key-store.ts'

/** What looking after unique keys needs from outside. */
export interface KeyKeeperDeps {
  readonly database: Database
  readonly store: KeyStore
  readonly events: Events
  /** The time between two looks, in ms. */
  readonly everyMs: number
}

/** So many jobs that wait behind others are looked at each time: a few milliseconds, whatever waits. */
const PARKED = 5_000
/** So many keys are looked at each time. What is left of them is in nobody's way, so a round may take its time. */
const KEYS = 500

/**
 * Finds what ends of jobs had to leave, because a settle waits for nobody: jobs that wait behind one that is gone, and keys of
 * jobs that are gone. It goes round and round, a slice at a time, so that no look is long.
 */
export class KeyKeeper implements Service {
  readonly #deps: KeyKeeperDeps
  readonly #loop: Loop
  #parked: string | undefined
  #key: KeyPlace | undefined

  constructor(deps: KeyKeeperDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => this.#pass(),
      onError: (error) => deps.events.emit('error', { where: 'looking after unique keys', error }),
      maxPauseMs: deps.everyMs * 3,
    })
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #pass(): Promise<number> {
    const { database, store, everyMs } = this.#deps
    this.#parked = (await store.releaseUnblocked(database, PARKED, this.#parked)).last
    this.#key = (await store.deleteLeft(database, KEYS, this.#key)).last
    return everyMs
  }
}
