import { PgqError } from '@pgq/core'

/** Keeps an eye on the enqueues of one transaction, those above all that nobody awaits. */
export class EnqueueGuard {
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #failures: { readonly error: unknown; readonly call: WatchedPromise<unknown> }[] = []
  #closed = false

  /** The failures so far, whether somebody heard of them or not. */
  get failures(): readonly unknown[] {
    return this.#failures.map(({ error }) => error)
  }

  /** Begins an enqueue, unless the transaction has ended. Its failure is told to whoever awaits it, else by `flush`. */
  watch<T>(enqueue: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new PgqError('TRANSACTION_CLOSED', ENDED))
    const begun = enqueue()
    const call = new WatchedPromise<T>((resolve, reject) => {
      begun.then(resolve, (error: unknown) => {
        this.#failures.push({ error, call })
        reject(error)
      })
    })
    const done = call.settled().finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
    return call
  }

  /**
   * Waits for every enqueue under way, and for those that they lead to; then refuses every further one.
   * @throws the first failure that nobody has heard of
   */
  async flush(): Promise<void> {
    do {
      await Promise.all(this.#underWay)
      // What somebody waited for may call the next one now.
      await new Promise((resolve) => setImmediate(resolve))
    } while (this.#underWay.size > 0)
    this.#closed = true
    const unheard = this.#failures.find(({ call }) => !call.heard)
    if (unheard) throw unheard.error
  }

  /** Refuses every further enqueue, and waits for those under way: afterwards the connection belongs to somebody else. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#underWay)
  }
}

const ENDED =
  'the transaction has ended: await every enqueue inside the function that was given to transaction'

/** A promise that knows whether anybody listens to it, and whose failure is nobody's unhandled rejection. */
class WatchedPromise<T> extends Promise<T> {
  #heard = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  get heard(): boolean {
    return this.#heard
  }

  /** Resolves when this has settled, without being somebody who listens. */
  settled(): Promise<void> {
    return super.then(ignore, ignore)
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is one already; `await` calls this, as everybody who listens does
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#heard = true
    return super.then(onFulfilled, onRejected)
  }
}

function ignore(): void {}
