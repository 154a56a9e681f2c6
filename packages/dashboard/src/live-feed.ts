import type { Pgq } from '@pgq/core'
import { wireQueue } from './wire-queue.ts'

/** How often the queues are looked at while somebody watches, in ms. */
const EVERY_MS = 2_000

/** How the queues stand, for everybody who watches: one look for all of them, and none while nobody does. */
export class LiveFeed {
  readonly #pgq: Pgq
  readonly #watchers = new Set<(data: string) => void>()
  #timer: NodeJS.Timeout | undefined
  #latest: string | undefined
  #looking = false

  constructor(pgq: Pgq) {
    this.#pgq = pgq
  }

  /** Tells how the queues stand, now and from then on. Returns what ends it. */
  watch(watcher: (data: string) => void): () => void {
    this.#watchers.add(watcher)
    if (this.#latest !== undefined && this.#timer) watcher(this.#latest)
    else this.look()
    return () => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size > 0) return
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  /** Looks now. */
  look(): void {
    clearTimeout(this.#timer)
    if (!this.#looking) void this.#look()
  }

  async #look(): Promise<void> {
    this.#looking = true
    try {
      this.#latest = JSON.stringify((await this.#pgq.insights.queues()).map(wireQueue))
      for (const watcher of this.#watchers) watcher(this.#latest)
    } catch {
      // A database that is away is seen by whoever asks for something; the feed goes on when it is back.
    } finally {
      this.#looking = false
      if (this.#watchers.size > 0) this.#timer = setTimeout(() => void this.#look(), EVERY_MS).unref()
    }
  }
}
