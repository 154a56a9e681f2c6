import {
  type DiscoveryService,
  ExternalContextCreator,
  type MetadataScanner,
  type ModulesContainer,
} from '@nestjs/core'
import { PgqError } from '@pgq/core'
import { DECLARATION_KINDS, type DeclarationKind, type Declarations, declarationsOf } from './declarations.ts'
import { isPerJob, type NestModule, type Provider } from './nest-container.ts'

/** A declaration, and the method of a provider that it is about. */
export interface Found<Kind extends DeclarationKind> {
  readonly kind: Kind
  readonly declaration: Declarations[Kind]
  readonly provider: Provider
  readonly module: NestModule
  readonly method: string
  /** For messages: `Class.method`. */
  readonly name: string
}

/** One of any kind. */
export type AnyFound = { readonly [Kind in DeclarationKind]: Found<Kind> }[DeclarationKind]

/** What discovery needs of Nest. */
export interface ExplorerDeps {
  readonly discovery: DiscoveryService
  readonly scanner: MetadataScanner
  readonly modules: ModulesContainer
}

/**
 * Finds what the decorators have declared, in the providers of all modules.
 * @throws PgqError INVALID_OPTION for a decorator where it can have no effect
 */
export function explore({ discovery, scanner }: ExplorerDeps): readonly AnyFound[] {
  refuseControllers(discovery, scanner)
  return discovery.getProviders().flatMap((provider) => {
    const type = typeOf(provider)
    if (provider.isAlias || !provider.host || !type) return []
    const found = declaredBy(type, scanner)
    refuseHalfOverridden(type, scanner)
    if (found.some((one) => one.kind === 'handler')) requireEnhancers(type, provider, scanner)
    return found.map((one) => ({ ...one, provider, module: provider.host as NestModule }) as AnyFound)
  })
}

interface Declared {
  readonly kind: DeclarationKind
  readonly declaration: Declarations[DeclarationKind]
  readonly method: string
  readonly name: string
}
type Class = abstract new (...given: never[]) => object

function declaredBy(type: Class, scanner: MetadataScanner): Declared[] {
  const places: readonly { readonly target: object; readonly method: string }[] = [
    { target: type, method: 'process' },
    ...methodsOf(type, scanner).map(({ name, method }) => ({ target: method, method: name })),
  ]
  return places.flatMap(({ target, method }) =>
    DECLARATION_KINDS.flatMap((kind) =>
      declarationsOf(kind, target).map((declaration) => ({
        kind,
        declaration,
        method,
        name: `${type.name}.${method}`,
      })),
    ),
  )
}

function methodsOf(type: Class, scanner: MetadataScanner): { name: string; method: object }[] {
  const prototype = type.prototype as Record<string, object>
  return scanner
    .getAllMethodNames(prototype)
    .map((name) => ({ name, method: prototype[name] as object }))
    .filter(({ method }) => typeof method === 'function')
}

/**
 * The class of a provider, whatever made it: of a factory or a value it is the one of the object, and for an object without a
 * class (which a test put in its place) the one it stands for.
 */
function typeOf(provider: Provider): Class | undefined {
  const instance: unknown = isPerJob(provider) ? undefined : provider.instance
  const made = provider.isNotMetatype ? undefined : provider.metatype
  const candidates = [
    typeof instance === 'object' && instance !== null ? instance.constructor : undefined,
    made,
    provider.token,
  ].filter((one): one is Class & typeof Object => typeof one === 'function' && isClass(one))
  return candidates.find((one) => one !== Object)
}

function isClass(value: object): boolean {
  const prototype: unknown = (value as { readonly prototype?: unknown }).prototype
  return typeof prototype === 'object' && prototype !== null
}

function refuseControllers(discovery: DiscoveryService, scanner: MetadataScanner): void {
  for (const controller of discovery.getControllers()) {
    const type = controller.metatype as Class | null
    const [declared] = type && isClass(type) ? declaredBy(type, scanner) : []
    if (!declared) continue
    throw new PgqError(
      'INVALID_OPTION',
      `${declared.name} has a decorator of pgq, but ${type?.name} is a controller: move the method into a provider`,
    )
  }
}

/**
 * A decorator stands on one method, and does not go over to the one that overrides it; nor do guards. Whether that was meant nobody can
 * tell, and a queue that silently has no handler any more is the worse of both.
 */
function refuseHalfOverridden(type: Class, scanner: MetadataScanner): void {
  for (const { name, method } of methodsOf(type, scanner)) {
    if (isDeclared(method)) continue
    let above = Object.getPrototypeOf(type.prototype) as Record<string, unknown> | null
    while (above && above !== Object.prototype) {
      const overridden = Object.getOwnPropertyDescriptor(above, name)?.value as unknown
      if (typeof overridden === 'function' && isDeclared(overridden)) throw halfOverridden(type, name, above)
      above = Object.getPrototypeOf(above) as Record<string, unknown> | null
    }
  }
}

function isDeclared(method: object): boolean {
  return DECLARATION_KINDS.some((kind) => declarationsOf(kind, method).length > 0)
}

function halfOverridden(type: Class, name: string, base: object): PgqError {
  return new PgqError(
    'INVALID_OPTION',
    `${type.name}.${name} overrides ${base.constructor.name}.${name}, which has a decorator of pgq, and has none itself: ` +
      'decorate it as well, or give it another name',
  )
}

/**
 * Nest makes the guards, interceptors, pipes and filters that are given as classes only for providers that are classes. For others
 * it would silently leave them out, and a guard that is left out is worse than an error.
 */
function requireEnhancers(type: Class, provider: Provider, scanner: MetadataScanner): void {
  const places = [type, ...methodsOf(type, scanner).map(({ method }) => method)]
  const classes = places.flatMap(enhancerClasses)
  const missing = classes.find((enhancer) => provider.host?.hasInjectable(enhancer) === false)
  if (missing) {
    throw new PgqError(
      'INVALID_OPTION',
      `${type.name} is provided by useFactory or useValue, so Nest does not make its ${missing.name}: provide the class, ` +
        `or give its decorator an object, new ${missing.name}(…)`,
    )
  }
  const [first] = classes
  if (!first || findsHosts() || provider.host?.hasProvider(type)) return
  throw new PgqError(
    'INVALID_OPTION',
    `${type.name} is provided under another token than its class, where this version of Nest does not find its ${first.name}: ` +
      `list ${type.name} itself in the providers, or update Nest`,
  )
}

/** Whether this Nest knows the module of an instance. Up to 11.2.5 and 12.0.4 it looked for a module with the class as token, and made do without enhancers. */
function findsHosts(): boolean {
  return 'getHostModuleKey' in ExternalContextCreator.prototype
}

/** Where Nest's decorators note what they were given. */
const ENHANCER_KEYS = ['__guards__', '__interceptors__', '__pipes__', '__exceptionFilters__'] as const

function enhancerClasses(place: object): Class[] {
  return ENHANCER_KEYS.flatMap((key) => (Reflect.getMetadata(key, place) ?? []) as unknown[]).filter(
    (value): value is Class => typeof value === 'function' && isClass(value),
  )
}
