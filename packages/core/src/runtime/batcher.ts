/** What a batcher needs to know. */
export interface BatcherOptions<Item> {
  /** Writes one batch. It must not reject: what became of each item is its own business. */
  readonly flush: (items: Item[]) => Promise<void>
  /** The most items in one batch. */
  readonly maxItems: number
  /** The most weight in one batch; an item that is heavier goes alone. @default Infinity */
  readonly maxWeight?: number
  /** The weight of one item, for example its bytes. @default 0 */
  readonly weigh?: (item: Item) => number
}

/**
 * Collects items while a batch is being written, and writes them as the next one.
 *
 * There is no timer: an item that finds the batcher idle goes out at the end of the current turn of the event
 * loop, so batching adds nothing to the latency at low load, and batches grow by themselves under load. One
 * batch is in flight at a time.
 */
export class Batcher<Item> {
  readonly #options: BatcherOptions<Item>
  #waiting: Item[] = []
  #flushing: Promise<void> | undefined

  constructor(options: BatcherOptions<Item>) {
    this.#options = options
  }

  /** How many items wait for a batch. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Whether anything that was added has not been written. */
  get isBusy(): boolean {
    return this.#flushing !== undefined
  }

  /** Adds an item to the next batch. */
  add(item: Item): void {
    this.#waiting.push(item)
    this.#flushing ??= this.#flushAll()
  }

  /** Resolves when everything that was added has been written. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  async #flushAll(): Promise<void> {
    await Promise.resolve() // whatever is added in this turn shares the batch
    try {
      while (this.#waiting.length > 0) await this.#options.flush(this.#take())
    } finally {
      this.#flushing = undefined
    }
  }

  #take(): Item[] {
    const { maxItems, maxWeight = Number.POSITIVE_INFINITY, weigh } = this.#options
    let count = Math.min(this.#waiting.length, maxItems)
    if (weigh) {
      let weight = 0
      for (let i = 0; i < count; i++) {
        weight += weigh(this.#waiting[i] as Item)
        if (weight > maxWeight && i > 0) count = i
      }
    }
    if (count === this.#waiting.length) {
      const all = this.#waiting
      this.#waiting = []
      return all
    }
    return this.#waiting.splice(0, count)
  }
}
