import { ApplicationConfig, type ModuleRef } from '@nestjs/core'

type Wrapper = ReturnType<ApplicationConfig['getGlobalRequestGuards']>[number]
type ContextId = Parameters<ModuleRef['registerRequestByContextId']>[1]

/** The lists of global enhancers that are request-scoped or transient. */
const LISTS = [
  'getGlobalRequestGuards',
  'getGlobalRequestInterceptors',
  'getGlobalRequestPipes',
  'getGlobalRequestFilters',
] as const

/**
 * Global enhancers that are not made once. Nest makes them for requests to controllers, and would hand over for a job what it has not
 * even constructed, or nothing. Here they are made before the job that they are for.
 */
export class PerJobEnhancers {
  /** A configuration in which each stands for the instance that was made for the job. */
  readonly config: ApplicationConfig
  readonly #wrappers: readonly Wrapper[]
  readonly #made = new WeakMap<object, Map<Wrapper, unknown>>()

  constructor(config: ApplicationConfig) {
    this.#wrappers = LISTS.flatMap((list) => config[list]() as Wrapper[])
    this.config = Object.create(
      config,
      Object.fromEntries(
        LISTS.map((list) => {
          const stands = (config[list]() as Wrapper[]).map((wrapper) => this.#standFor(wrapper))
          return [list, { value: () => stands }]
        }),
      ),
    ) as ApplicationConfig
  }

  get isEmpty(): boolean {
    return this.#wrappers.length === 0
  }

  /** Makes them, and what they depend on, for one job. They go with its context. */
  async make(moduleRef: ModuleRef, contextId: ContextId): Promise<void> {
    const made = new Map<Wrapper, unknown>()
    for (const wrapper of this.#wrappers)
      made.set(wrapper, await moduleRef.resolve(wrapper.token as never, contextId, { strict: false }))
    this.#made.set(contextId, made)
  }

  #standFor(wrapper: Wrapper): Wrapper {
    const instanceIn = (contextId: object): object => {
      const instance = this.#made.get(contextId)?.get(wrapper)
      if (!instance) throw new Error(`${wrapper.name} was not made for this job`)
      return { instance, isConstructorCalled: true }
    }
    return Object.create(wrapper, {
      getInstanceByContextId: { value: instanceIn },
      // A durable one is shared by Nest, under another context than the one that is looked for here.
      isDependencyTreeDurable: { value: () => false },
    }) as Wrapper
  }
}
