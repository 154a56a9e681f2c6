import type { DiscoveryService, ModulesContainer } from '@nestjs/core'

/** A provider, as Nest's container holds it. */
export type Provider = ReturnType<DiscoveryService['getProviders']>[number]

/** A module, as Nest's container holds it. */
export type NestModule = NonNullable<ReturnType<ModulesContainer['get']>>

/** Whether an instance is made for each job: because of its own scope, or of something that it depends on. */
export function isPerJob(provider: Provider): boolean {
  return provider.isTransient || !provider.isDependencyTreeStatic()
}

/** The static instances that a module's providers have, the module's own included. */
export function staticInstances(module: NestModule): object[] {
  return [...module.providers.values()]
    .filter((provider) => !provider.isAlias && !isPerJob(provider))
    .map((provider): unknown => provider.instance)
    .filter((instance) => typeof instance === 'object' && instance !== null)
}

/** Everything whose `onModuleDestroy` Nest calls with a module: also controllers, enhancers, middleware, and what is transient in something static. */
export function destroyedWith(module: NestModule): object[] {
  const { providers, controllers, injectables, middlewares } = module
  const instances = [providers, controllers, injectables, middlewares]
    .flatMap((wrappers): Provider[] => [...wrappers.values()])
    .filter((wrapper) => !wrapper.isAlias)
    .flatMap((wrapper): unknown[] => {
      if (wrapper.isTransient) return wrapper.getStaticTransientInstances().map((one) => one?.instance)
      return wrapper.isDependencyTreeStatic() ? [wrapper.instance] : []
    })
    .filter((instance): instance is object => typeof instance === 'object' && instance !== null)
  return [...new Set(instances)]
}
