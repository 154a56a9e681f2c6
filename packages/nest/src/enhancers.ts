import { type ArgumentsHost, ForbiddenException } from '@nestjs/common'
import { ApplicationConfig, ExternalContextCreator, type ModulesContainer } from '@nestjs/core'
import { type AnyQueue, DeadJob, type Job, type JobContext } from '@pgq/core'
import { endingOf } from '@pgq/core/options'
import { isAbort } from './abort.ts'
import { PerJobEnhancers } from './per-job-enhancers.ts'
import type { Enhancers } from './pgq-module-options.ts'

/** One call of a handler, with everything around it. */
export type Call = (job: Job, ctx: JobContext) => Promise<unknown>

/** A method to be called, on an instance. */
export interface Target {
  readonly instance: object
  readonly method: string
  readonly queue: AnyQueue
  /** For an instance that was made for one job: the context that Nest made it in, and the id of its provider. */
  readonly made?: { readonly contextId: { id: number }; readonly providerId: string }
}

type Method = (...given: unknown[]) => unknown

/** Where the parameter that pipes see is described. */
const PARAMETERS = 'pgq:parameters'
/** What Nest calls the one parameter of a message that is piped, here as in its microservices. */
const PAYLOAD_PARAMETER = '3:0'
/** What Nest says when a guard returns false. */
const REFUSED = 'Forbidden resource'
const NONE = { guards: false, interceptors: false, filters: false }

/**
 * Puts Nest's guards, interceptors, pipes and filters around handlers, as they are around a controller:
 *
 *     filters( guards, interceptors( pipes(job.payload), handler ) )
 *
 *  - A guard that says no makes the job dead, unless a filter says otherwise: another attempt would be refused too.
 *  - Pipes get the payload, and what they return is the `job.payload` of the handler.
 *  - A filter that returns something (truthy) completes the job with it. One that returns nothing has only looked: the attempt
 *    fails as it would have, since swallowing errors must not happen by mistake.
 *  - `SnoozeJob` and the other endings, and the reason of an abort, pass by the filters: they are no errors.
 */
export class EnhancedCalls {
  readonly #creator: ExternalContextCreator | undefined
  readonly #perJob: PerJobEnhancers | undefined
  /** Jobs that got past the guards. */
  readonly #entered = new WeakSet<object>()

  constructor(modules: ModulesContainer, config: ApplicationConfig, enhancers: Enhancers) {
    if (enhancers === 'none') return
    const global = enhancers === 'all' ? config : new ApplicationConfig()
    const perJob = new PerJobEnhancers(global)
    if (!perJob.isEmpty) this.#perJob = perJob
    this.#creator = contextCreator(modules, perJob.config)
  }

  /** The global enhancers that Nest makes anew for each request, and so for each job: a processor that meets them is called per job. */
  get perJob(): PerJobEnhancers | undefined {
    return this.#perJob
  }

  /** Makes the call of a method. For a static instance it is made once and serves all jobs. */
  of(target: Target): Call {
    const { instance, method } = target
    const own = (instance as { readonly [name: string]: Method })[method] as Method
    if (!this.#creator) return async (job, ctx) => own.call(instance, job, ctx)
    const pipe = this.#pipe(target, own)
    const handler = async (job: Job, ctx: JobContext): Promise<unknown> => {
      const payload = await pipe(job, ctx)
      return own.call(instance, payload === job.payload ? job : { ...job, payload }, ctx)
    }
    const intercepted = this.#wrap(target, own, handler, { ...NONE, interceptors: true })
    const entered = async (job: Job, ctx: JobContext): Promise<unknown> => {
      this.#entered.add(job)
      return intercepted(job, ctx)
    }
    return this.#filtered(target, own, this.#wrap(target, own, entered, { ...NONE, guards: true }))
  }

  #filtered(target: Target, own: Method, guarded: Call): Call {
    const failures = new WeakMap<object, { readonly error: unknown }>()
    const noting = async (job: Job, ctx: JobContext): Promise<unknown> => {
      try {
        return await guarded(job, ctx)
      } catch (error) {
        failures.set(job, { error })
        if (endingOf(error) !== undefined || isAbort(error, ctx)) return undefined // these are no errors, and no business of filters
        throw error
      }
    }
    const filtered = this.#wrap(target, own, noting, { ...NONE, filters: true })
    return async (job, ctx) => {
      try {
        const answer = await filtered(job, ctx)
        const failure = failures.get(job)
        if (failure && !answer) throw failure.error
        return answer
      } catch (error) {
        throw this.#refusal(job, error)
      }
    }
  }

  /**
   * A guard that returns false makes Nest throw this, with these words. One that a guard throws itself is an error like others, and so is
   * one from an interceptor or a handler, which come after the guards.
   */
  #refusal(job: Job, error: unknown): unknown {
    if (!(error instanceof ForbiddenException) || this.#entered.has(job)) return error
    if (error.message !== REFUSED) return error
    return new DeadJob(`a guard refused the job: ${error.message}`, { cause: error })
  }

  #wrap(target: Target, own: Method, call: Call, options: typeof NONE): Call {
    const { instance, method, made } = target
    const callback = withMetadataOf(own, method, call as Method)
    return this.#creator!.create(
      instance,
      callback,
      method,
      undefined,
      undefined,
      made?.contextId,
      made?.providerId,
      options,
      'pgq',
    )
  }

  /** A method of its own, as far as Nest knows, whose one parameter is the payload. */
  #pipe(target: Target, own: Method): Call {
    const { instance, method, queue, made } = target
    const name = `the payload of ${queue.name} for ${method}`
    // The schema of the queue has been applied already, and what it makes need not be what it takes.
    const parameter = { index: 0, data: undefined, pipes: [] }
    Reflect.defineMetadata(PARAMETERS, { [PAYLOAD_PARAMETER]: parameter }, instance.constructor, name)
    return this.#creator!.create(
      instance,
      withMetadataOf(own, method, (payload) => payload),
      name,
      PARAMETERS,
      { exchangeKeyForValue: (_type, _data, [job]: [Job]) => job.payload as never },
      made?.contextId,
      made?.providerId,
      NONE,
      'pgq',
    )
  }
}

/** Nest reads what decorators say from the function that it calls, and so do guards from `context.getHandler()`. */
function withMetadataOf(method: Method, name: string, callback: Method): Method {
  for (const key of Reflect.getMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), callback)
  }
  return Object.defineProperty(callback, 'name', { value: name, configurable: true })
}

/** How errors are brought before filters, as far as it is touched here. */
interface FilterContexts {
  readonly create: (...given: unknown[]) => FilterRunner
}
interface FilterRunner {
  next: (error: unknown, host: ArgumentsHost) => unknown
  readonly invokeCustomFilters: FilterRunner['next']
}

/** A creator that sees the modules, and the enhancers of a configuration. */
function contextCreator(modules: ModulesContainer, visible: ApplicationConfig): ExternalContextCreator {
  // What no other filter takes reaches Nest's own, which logs it as unforeseen. To a queue errors are daily bread, so this one goes before.
  const applicationConfig = Object.create(visible, {
    getGlobalFilters: { value: () => [rethrow, ...visible.getGlobalFilters()] },
  }) as ApplicationConfig
  const container = { getModules: () => modules, applicationConfig }
  const creator = ExternalContextCreator.fromContainer(
    container as unknown as Parameters<typeof ExternalContextCreator.fromContainer>[0],
  )
  keepQuiet((creator as unknown as { readonly filtersContextCreator?: FilterContexts }).filtersContextCreator)
  return creator
}

/** When a filter returns nothing Nest logs the error as unforeseen, which it is not: the queue tells of it. It is only a line in a log, so a Nest of another make is left alone. */
function keepQuiet(contexts: FilterContexts | undefined): void {
  if (typeof contexts?.create !== 'function') return
  const create = contexts.create.bind(contexts)
  const quiet: FilterContexts['create'] = (...given) => {
    const runner = create(...given)
    if (typeof runner.invokeCustomFilters === 'function')
      runner.next = (error, host) => runner.invokeCustomFilters(error, host)
    return runner
  }
  Object.defineProperty(contexts, 'create', { value: quiet })
}

const rethrow = {
  catch(error: unknown): never {
    throw error
  },
}
