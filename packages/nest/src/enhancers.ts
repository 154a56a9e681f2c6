import { ForbiddenException } from '@nestjs/common'
import { ApplicationConfig, ExternalContextCreator, type ModulesContainer } from '@nestjs/core'
import { type AnyQueue, DeadJob, type Job, type JobContext } from '@pgq/core'
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
 */
export class EnhancedCalls {
  readonly #creator: ExternalContextCreator | undefined
  /** Jobs that got past the guards. */
  readonly #entered = new WeakSet<object>()

  constructor(modules: ModulesContainer, config: ApplicationConfig, enhancers: Enhancers) {
    this.#creator = enhancers === 'none' ? undefined : contextCreator(modules, config, enhancers)
  }

  /** Makes the call of a method. For a static instance it is made once and serves all jobs. */
  of(target: Target): Call {
    const { instance, method } = target
    const own = (instance as { readonly [name: string]: Method })[method] as Method
    if (!this.#creator) return async (job, ctx) => own.call(instance, job, ctx)
    const pipe = this.#pipe(target, own)
    const handler = async (job: Job, ctx: JobContext): Promise<unknown> => {
      this.#entered.add(job)
      const payload = await pipe(job, ctx)
      return own.call(instance, payload === job.payload ? job : { ...job, payload }, ctx)
    }
    const guarded = this.#wrap(target, own, handler, { ...NONE, guards: true, interceptors: true })
    return this.#filtered(target, own, guarded)
  }

  #filtered(target: Target, own: Method, guarded: Call): Call {
    const failures = new WeakMap<object, { readonly error: unknown }>()
    const noting = async (job: Job, ctx: JobContext): Promise<unknown> => {
      try {
        return await guarded(job, ctx)
      } catch (error) {
        failures.set(job, { error })
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

  /** A guard that returns false makes Nest throw this; a handler may throw one of its own, which is an error like others. */
  #refusal(job: Job, error: unknown): unknown {
    if (!(error instanceof ForbiddenException) || this.#entered.has(job)) return error
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

/** A creator that sees the modules, and the global enhancers only when it should. */
function contextCreator(
  modules: ModulesContainer,
  config: ApplicationConfig,
  enhancers: 'local' | 'all',
): ExternalContextCreator {
  const visible = enhancers === 'all' ? config : new ApplicationConfig()
  // What no other filter takes reaches Nest's own, which logs it as unforeseen. To a queue errors are daily bread, so this one goes before.
  const applicationConfig = Object.create(visible, {
    getGlobalFilters: { value: () => [rethrow, ...visible.getGlobalFilters()] },
  }) as ApplicationConfig
  const container = { getModules: () => modules, applicationConfig }
  return ExternalContextCreator.fromContainer(
    container as unknown as Parameters<typeof ExternalContextCreator.fromContainer>[0],
  )
}

const rethrow = {
  catch(error: unknown): never {
    throw error
  },
}
