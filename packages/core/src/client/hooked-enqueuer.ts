import type { HookList } from '../hooks.ts'
import type { AnyQueue } from '../job/queue.ts'
import type { EnqueueResult } from './enqueue-result.ts'
import type { AnyEnqueueOptions, Enqueuer } from './enqueuer.ts'

/** The way in, inside the hooks: without any it is one more call, in the same turn. */
export class HookedEnqueuer {
  readonly #enqueuer: Enqueuer
  readonly #hooks: HookList

  constructor(enqueuer: Enqueuer, hooks: HookList) {
    this.#enqueuer = enqueuer
    this.#hooks = hooks
  }

  enqueue(queue: AnyQueue, payload: unknown, options?: AnyEnqueueOptions): Promise<EnqueueResult> {
    if (!this.#hooks.wrapsEnqueue) return this.#enqueuer.enqueue(queue, payload, options)
    return this.#inside(queue, false, options, (all) => this.#enqueuer.enqueue(queue, payload, all))
  }

  enqueueMany(
    queue: AnyQueue,
    payloads: Iterable<unknown>,
    options?: AnyEnqueueOptions,
  ): Promise<EnqueueResult[]> {
    if (!this.#hooks.wrapsEnqueue) return this.#enqueuer.enqueueMany(queue, payloads, options)
    return this.#inside(queue, true, options, (all) => this.#enqueuer.enqueueMany(queue, payloads, all))
  }

  /** Nothing has been checked yet: what hooks are told must not fail, and what is wrong is refused as ever. */
  #inside<T extends EnqueueResult | EnqueueResult[]>(
    queue: AnyQueue,
    many: boolean,
    options: AnyEnqueueOptions | undefined,
    write: (options: AnyEnqueueOptions) => Promise<T>,
  ): Promise<T> {
    const given: unknown = options?.metadata
    const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
    const metadata = isObject ? (given as NonNullable<AnyEnqueueOptions['metadata']>) : {}
    const call = { queue: String((queue as { readonly name?: unknown } | undefined)?.name), many, metadata }
    return this.#hooks.aroundEnqueue(
      call,
      (added) => {
        const isPlain = given === undefined || isObject
        const isEmpty = given === undefined && Object.keys(added).length === 0
        return write(
          isPlain && !isEmpty ? { ...options, metadata: { ...added, ...metadata } } : (options ?? {}),
        )
      },
      (result) => [result].flat().filter(({ deduplicated }) => !deduplicated).length,
    )
  }
}
