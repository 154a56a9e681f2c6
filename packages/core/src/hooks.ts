import type { Events, EventJob } from './events.ts'
import type { Metadata } from './job/job.ts'

/** One call of `enqueue` or `enqueueMany`, as hooks see it. */
export interface EnqueueCall {
  readonly queue: string
  /** Whether it is one call for many jobs. */
  readonly many: boolean
  /** What the caller has said itself; it goes before what hooks add. */
  readonly metadata: Metadata
}

/** How a handler has ended, before it is settled. `error` is what it threw. */
export interface AttemptEnd {
  readonly ending: 'completed' | 'failed' | 'dead' | 'cancelled' | 'snoozed' | 'released' | 'lost'
  readonly error?: unknown
}

/**
 * Code that runs around what this process does: for traces, for a context that follows the job. A hook calls `next` once, in the same turn
 * (an enqueue in a transaction depends on it), and awaits it. An error before `next` is the error of the enqueue or of the attempt; after
 * it nothing that a hook does changes the outcome: its errors are told as `error` events.
 */
export interface Hooks {
  /** Around an enqueue. What `next` is given is added to the metadata of each of its jobs; it resolves with how many were written. */
  readonly enqueue?: (call: EnqueueCall, next: (metadata?: Metadata) => Promise<number>) => Promise<unknown>
  /** Around one attempt: the check of the payload and the handler. `next` never rejects. */
  readonly attempt?: (job: EventJob, next: () => Promise<AttemptEnd>) => Promise<unknown>
}

type Wrap<T> = (next: () => Promise<T>) => Promise<unknown>

/** The hooks of a queue, the first one outermost. Without any, nothing is called. */
export class HookList {
  readonly #events: Events
  #enqueue: NonNullable<Hooks['enqueue']>[] = []
  #attempt: NonNullable<Hooks['attempt']>[] = []

  constructor(events: Events) {
    this.#events = events
  }

  /** Adds hooks; returns the function that removes them. */
  add({ enqueue, attempt }: Hooks): () => void {
    if (enqueue) this.#enqueue = [...this.#enqueue, enqueue]
    if (attempt) this.#attempt = [...this.#attempt, attempt]
    return () => {
      this.#enqueue = this.#enqueue.filter((hook) => hook !== enqueue)
      this.#attempt = this.#attempt.filter((hook) => hook !== attempt)
    }
  }

  /** Whether anything runs around enqueues. */
  get wrapsEnqueue(): boolean {
    return this.#enqueue.length > 0
  }

  /** Whether anything runs around attempts. */
  get wrapsAttempt(): boolean {
    return this.#attempt.length > 0
  }

  /** Runs an enqueue inside the hooks; `work` gets what they add to the metadata. */
  aroundEnqueue<T>(
    call: EnqueueCall,
    work: (metadata: Metadata) => Promise<T>,
    count: (result: T) => number,
  ): Promise<T> {
    const added: Record<string, Metadata[string]> = {}
    const wraps = this.#enqueue.map(
      (hook): Wrap<number> =>
        (next) =>
          hook(call, (metadata) => {
            Object.assign(added, metadata)
            return next()
          }),
    )
    return this.#around(wraps, () => work(added), count)
  }

  /** Runs an attempt inside the hooks. */
  aroundAttempt<T>(job: EventJob, work: () => Promise<T>, endOf: (result: T) => AttemptEnd): Promise<T> {
    const wraps = this.#attempt.map(
      (hook): Wrap<AttemptEnd> =>
        (next) =>
          hook(job, next),
    )
    return this.#around(wraps, work, endOf)
  }

  async #around<T, Told>(
    wraps: readonly Wrap<Told>[],
    work: () => Promise<T>,
    told: (result: T) => Told,
  ): Promise<T> {
    let running: Promise<T> | undefined
    let failure: unknown
    const begin = async (): Promise<Told> => {
      running ??= work()
      try {
        return told(await running)
      } catch (error) {
        failure = error
        throw error
      }
    }
    // What the work led to is passed out by us: a hook need not return it.
    const chain = wraps.reduceRight<() => Promise<Told>>(
      (next, wrap) => async () => {
        await wrap(next)
        return begin()
      },
      begin,
    )
    try {
      await chain()
    } catch (error) {
      if (running === undefined) throw error
      const own = await running.then(
        () => true,
        () => error !== failure,
      )
      if (own) this.#events.emit('error', { where: 'a hook', error })
    }
    return running ?? work()
  }
}
