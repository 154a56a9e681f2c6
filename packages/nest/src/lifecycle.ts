import type { ModulesContainer } from '@nestjs/core'
import { type NestModule, staticInstances } from './nest-container.ts'

/**
 * Nest calls the hooks of one module after another: those that import others come last at the start and first at the end.
 * Global modules are the other way round: first at the start and last at the end. PgqModule is one, so its own hooks are
 * of little use for what this file is about: hooks of other modules are extended, each on its instance.
 *
 *  - Work begins after the last `onApplicationBootstrap`, so that everything a handler may use is ready, and so that a
 *    start that fails in some other module has begun no work.
 *  - Work ends before the first `onModuleDestroy` in a module that has a handler. What the handler depends on is in that module, in one that
 *    it imports, or global; none of these has been destroyed by then.
 */

/** Calls `begin` after the last `onApplicationBootstrap` of the application. Call it before the first, in `onModuleInit`. */
export function afterBootstrap(modules: ModulesContainer, begin: () => Promise<void>): void {
  const last = lastToBootstrap(modules)
  if (last) extendHook(last, 'onApplicationBootstrap', (own) => own().then(begin))
}

/** Calls `end` before anything in the module is destroyed, and waits for it. `end` may be called often. */
export function beforeDestroy(module: NestModule, end: () => Promise<void>): void {
  for (const instance of staticInstances(module)) {
    if (instance === module.instance || hookOf(instance, 'onModuleDestroy'))
      extendHook(instance, 'onModuleDestroy', (own) => end().then(own, own))
  }
}

type Hook = 'onApplicationBootstrap' | 'onModuleDestroy'

/** The module whose class is the last to hear of the start, in Nest's order: by distance, then as they were found. */
function lastToBootstrap(modules: ModulesContainer): object | undefined {
  const inOrder = [...modules.values()].toSorted((a, b) => b.distance - a.distance)
  return inOrder.findLast((module) => staticInstances(module).includes(module.instance))?.instance
}

/** Gives one object a hook around the one that it has, if it has one. Its class stays as it is. */
function extendHook(
  instance: object,
  hook: Hook,
  around: (own: () => Promise<unknown>) => Promise<unknown>,
): void {
  const own = hookOf(instance, hook)
  const value = (): Promise<unknown> => around(async () => own?.call(instance))
  Object.defineProperty(instance, hook, { value, configurable: true, writable: true })
}

function hookOf(instance: object, hook: Hook): (() => unknown) | undefined {
  const own: unknown = (instance as { readonly [Name in Hook]?: unknown })[hook]
  return typeof own === 'function' ? (own as () => unknown) : undefined
}
