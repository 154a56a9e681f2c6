/** How long what was set aside for the first time is left alone, in ms; each time after that twice as long. */
const FIRST_MS = 1_000
const LONGEST_MS = 10_000
/** What nobody has asked for in this time after its turn is forgotten, in ms. */
const FORGOTTEN_MS = 600_000

interface Entry {
  readonly pauseMs: number
  readonly untilMs: number
}

/** Names of what has failed, which are left alone for a while, each time for longer. All times are those of `monotonicMs`. */
export class SetAside {
  readonly #entries = new Map<string, Entry>()

  /** Sets one aside, or again. */
  add(name: string, nowMs: number): void {
    for (const [known, { untilMs }] of this.#entries)
      if (untilMs < nowMs - FORGOTTEN_MS) this.#entries.delete(known)
    const before = this.#entries.get(name)
    const pauseMs = before ? Math.min(LONGEST_MS, before.pauseMs * 2) : FIRST_MS
    // What was tried last comes last.
    this.#entries.delete(name)
    this.#entries.set(name, { pauseMs, untilMs: nowMs + pauseMs })
  }

  delete(name: string): void {
    this.#entries.delete(name)
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** All of them but the first `retries` whose time has come. */
  except(retries: number, nowMs: number): string[] {
    let left = retries
    return [...this.#entries]
      .filter(([, { untilMs }]) => untilMs > nowMs || left-- <= 0)
      .map(([name]) => name)
  }

  /** How long until the time of the first has come, in ms; Infinity when there is none. */
  leftMs(nowMs: number): number {
    return Math.max(0, Math.min(...[...this.#entries.values()].map(({ untilMs }) => untilMs - nowMs)))
  }
}
