import type { HookList } from '../hooks.ts'
import type { Metadata } from '../job/job.ts'
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
    const name = String((queue as { readonly name?: unknown } | undefined)?.name)
    const given: unknown = options?.metadata
    const metadata = isMetadata(given) ? given : {}
    return this.#hooks.aroundEnqueue(
      { queue: name, many, metadata },
      (added) => write(withMetadata(options, added)),
      (result) => [result].flat().filter(({ deduplicated }) => !deduplicated).length,
    )
  }
}

const isMetadata = (given: unknown): given is Metadata =>
  typeof given === 'object' && given !== null && !Array.isArray(given)

/** What the caller has said goes before what hooks add. Metadata that is none is left for the enqueue to refuse. */
function withMetadata(options: AnyEnqueueOptions = {}, added: Metadata): AnyEnqueueOptions {
  const given: unknown = options.metadata ?? {}
  if (Object.keys(added).length === 0 || !isMetadata(given)) return options
  return { ...options, metadata: { ...added, ...given } }
}
