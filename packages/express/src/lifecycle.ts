import type { Pgq } from '@pgq/core'

/**
 * What the parts around one queue share in this process, without being wired together by hand: the shutdown says that
 * it has begun, readiness answers 503 from then on, and the streams of progress are closed.
 */
export class Lifecycle {
  readonly #streams = new Set<() => void>()
  #ending = false
  #hasClosedStreams = false

  /** Whether the process is shutting down. It never goes back. */
  get isEnding(): boolean {
    return this.#ending
  }

  /** Whether the streams of progress have been closed, and no more are opened. */
  get hasClosedStreams(): boolean {
    return this.#hasClosedStreams
  }

  /** How many streams of progress are open. */
  get openStreams(): number {
    return this.#streams.size
  }

  /** Says that the process is shutting down. */
  beginEnding(): void {
    this.#ending = true
  }

  /** Counts a stream as open until the returned function is called. `close` must end it, and may be called at any time. */
  addStream(close: () => void): () => void {
    const entry = (): void => close()
    this.#streams.add(entry)
    return () => void this.#streams.delete(entry)
  }

  /** Ends all streams, for good. */
  closeStreams(): void {
    this.#hasClosedStreams = true
    for (const close of Array.from(this.#streams)) close()
  }
}

const lifecycles = new WeakMap<Pgq, Lifecycle>()

/** The lifecycle of the process as far as this queue is concerned: one for each `createPgq`. */
export function lifecycleOf(pgq: Pgq): Lifecycle {
  const known = lifecycles.get(pgq)
  if (known) return known
  const lifecycle = new Lifecycle()
  lifecycles.set(pgq, lifecycle)
  return lifecycle
}
