import type { Pgq } from '@pgq/core'
import { wireQueue } from './wire-queue.ts'

/** How often the queues are looked at while somebody watches, in ms. */
const EVERY_MS = 2_000
/** Where looking takes long, it is done for no more than this part of the time. */
const MOST_OF_THE_TIME = 0.1

/** How the queues stand, for everybody who watches: one look for all of them, and none while nobody does. */
export class LiveFeed {
  readonly #pgq: Pgq
  readonly #watchers = new Set<(message: string) => void>()
  #timer: NodeJS.Timeout | undefined
  #latest: string | undefined
  #isLooking = false
  #isWanted = false

  constructor(pgq: Pgq) {
    this.#pgq = pgq
  }

  /** Sends a server-sent event with how the queues stand, now and from then on. Returns what ends it. */
  watch(send: (message: string) => void): () => void {
    this.#watchers.add(send)
    if (this.#latest !== undefined && this.#timer) send(this.#latest)
    else this.look()
    return () => {
      this.#watchers.delete(send)
      if (this.#watchers.size > 0) return
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  /** Looks now, if anybody watches. */
  look(): void {
    if (this.#watchers.size === 0) return
    clearTimeout(this.#timer)
    this.#isWanted = true
    if (!this.#isLooking) void this.#look()
  }

  async #look(): Promise<void> {
    this.#isLooking = true
    this.#isWanted = false
    const startedMs = performance.now()
    const message = await this.#message()
    this.#isLooking = false
    for (const send of this.#watchers) send(message)
    if (this.#watchers.size === 0) return
    const pauseMs = Math.max(EVERY_MS, (performance.now() - startedMs) / MOST_OF_THE_TIME)
    this.#timer = setTimeout(() => void this.#look(), this.#isWanted ? 0 : pauseMs).unref()
  }

  /** A database that is away is told of as such, without why; the feed goes on when it is back. */
  async #message(): Promise<string> {
    try {
      const queues = (await this.#pgq.queues()).map(wireQueue)
      return (this.#latest = `event: queues\ndata: ${JSON.stringify(queues)}\n\n`)
    } catch {
      return 'event: trouble\ndata: {}\n\n'
    }
  }
}
