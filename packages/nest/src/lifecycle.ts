import { Logger } from '@nestjs/common'
import type { ModulesContainer } from '@nestjs/core'
import { PgqError } from '@pgq/core'
import { destroyedWith, type NestModule, staticInstances } from './nest-container.ts'

/**
 * Nest calls the hooks of one module after another: those that import others come last at the start and first at the end.
 * Global modules are the other way round: first at the start and last at the end. PgqModule is one, so its own hooks are
 * of little use for what this file is about: hooks of other modules are extended, each on its instance.
 *
 *  - Work begins after the last `onApplicationBootstrap`, so that everything a handler may use is ready, and so that a
 *    start that fails in some other module has begun no work.
 *  - Work ends before the first `onModuleDestroy` in a module that has a handler, or in one that it imports. What the handler depends on is
 *    in one of these (Nest lets all modules import the global ones); none has been destroyed by then.
 */

/** Calls `begin` after the last `onApplicationBootstrap` of the application. Call it before the first, in `onModuleInit`. */
export function afterBootstrap(modules: ModulesContainer, begin: () => Promise<void>): void {
  const last = lastToBootstrap(modules)
  if (!last || extendHook(last, 'onApplicationBootstrap', (own) => own().then(begin))) return
  throw new PgqError(
    'INVALID_OPTION',
    `the instance of ${last.constructor.name} is frozen: pgq begins work when its onApplicationBootstrap is over, and cannot see that`,
  )
}

/**
 * Calls `end` before anything in these modules, or in what they import, is destroyed, and waits for it. `end` may be called often. Modules
 * that import each other in a circle are destroyed in any order, so what is imported is watched as well.
 */
export function beforeDestroy(modules: Iterable<NestModule>, end: () => Promise<void>): void {
  const hosts = new Set(modules)
  for (const module of withImports(hosts)) {
    for (const instance of destroyedWith(module)) {
      const isHost = instance === module.instance && hosts.has(module)
      if (!isHost && !hookOf(instance, 'onModuleDestroy')) continue
      if (!extendHook(instance, 'onModuleDestroy', (own) => end().then(own, own)))
        warnOfFrozen(instance, module)
    }
  }
}

function withImports(modules: Iterable<NestModule>): Set<NestModule> {
  const all = new Set(modules)
  for (const module of all) for (const imported of module.imports) all.add(imported) // a set goes on with what is added
  return all
}

function warnOfFrozen(instance: object, module: NestModule): void {
  new Logger('PgqModule').warn(
    `${instance.constructor?.name ?? 'an object'} in ${module.name} is frozen: its onModuleDestroy does not wait for jobs that run. ` +
      'Close what they use in onApplicationShutdown',
  )
}

type Hook = 'onApplicationBootstrap' | 'onModuleDestroy'

/** The module whose class is the last to hear of the start, in Nest's order: by distance, then as they were found. */
function lastToBootstrap(modules: ModulesContainer): object | undefined {
  const inOrder = [...modules.values()].toSorted((a, b) => b.distance - a.distance)
  return inOrder.findLast((module) => staticInstances(module).includes(module.instance))?.instance
}

/** Gives one object a hook around the one that it has, if it has one. Its class stays as it is. False for an object that is frozen. */
function extendHook(
  instance: object,
  hook: Hook,
  around: (own: () => Promise<unknown>) => Promise<unknown>,
): boolean {
  const own = hookOf(instance, hook)
  const value = (): Promise<unknown> => around(async () => own?.call(instance))
  return Reflect.defineProperty(instance, hook, { value, configurable: true, writable: true })
}

function hookOf(instance: object, hook: Hook): (() => unknown) | undefined {
  const own: unknown = (instance as { readonly [Name in Hook]?: unknown })[hook]
  return typeof own === 'function' ? (own as () => unknown) : undefined
}
