/** The calls under way: whoever closes waits for their answers, and then nobody may begin another. */
export class Calls {
  readonly #open = new Set<Promise<unknown>>()
  readonly #refusal: () => Error
  #isClosed = false

  /** @param refusal the error of calls that come too late */
  constructor(refusal: () => Error) {
    this.#refusal = refusal
  }

  /** Throws when it is closed. */
  assertOpen(): void {
    if (this.#isClosed) throw this.#refusal()
  }

  /** Begins a call at once, in the same turn: an enqueue in a transaction depends on it. */
  begin<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(this.#refusal())
    // What is returned must not count as handled by us: an error of a call that nobody awaits has to be heard.
    const call = work().finally(() => this.#open.delete(call))
    this.#open.add(call)
    return call
  }

  /** Refuses calls from now on. */
  close(): void {
    this.#isClosed = true
  }

  /** Resolves when all have their answers. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#open)
  }
}
