import { ContextIdFactory, ModuleRef } from '@nestjs/core'
import type { Job, JobContext } from '@pgq/core'
import type { Call, EnhancedCalls } from './enhancers.ts'
import type { Found } from './explorer.ts'
import { isPerJob } from './nest-container.ts'

/** The contexts of the jobs for which request-scoped providers are made. */
const contexts = new WeakMap<object, JobContext>()

/** The context of a job that a request-scoped provider was made for; undefined for requests of other kinds. */
export function contextOf(request: unknown): JobContext | undefined {
  return typeof request === 'object' && request !== null ? contexts.get(request) : undefined
}

/** Makes the function that runs one job: on the one instance that there is, or on one made for the job; either may have enhancers made for it. */
export function callOf(found: Found<'handler'>, calls: EnhancedCalls): Call {
  const { provider, method, declaration } = found
  const { queue } = declaration
  if (isPerJob(provider) || calls.perJob) return perJob(found, calls)
  return calls.of({ instance: provider.instance as object, method, queue })
}

/**
 * The instance, and everything it needs that is request-scoped, is made for this job, which is its `REQUEST`. Nobody but the call holds
 * it, so it goes with the job; Nest has no hook for that.
 */
function perJob({ provider, module, method, declaration }: Found<'handler'>, calls: EnhancedCalls): Call {
  const { queue } = declaration
  const moduleRef = module.getProviderByKey<ModuleRef>(ModuleRef).instance
  return async (job: Job, ctx: JobContext) => {
    contexts.set(job, ctx)
    const contextId = ContextIdFactory.getByRequest(job)
    const request: unknown = provider.isDependencyTreeDurable() ? contextId.payload : job
    moduleRef.registerRequestByContextId(request, contextId)
    await calls.perJob?.make(moduleRef, contextId)
    const instance = isPerJob(provider)
      ? await moduleRef.resolve<object>(provider.token as never, contextId, { strict: true })
      : (provider.instance as object)
    return calls.of({ instance, method, queue, made: { contextId, providerId: provider.id } })(job, ctx)
  }
}
