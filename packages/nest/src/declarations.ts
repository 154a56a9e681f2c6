import 'reflect-metadata'
import {
  type AnyQueue,
  handle,
  type HandlerOptions,
  PgqError,
  type PgqEventName,
  type Schedule,
} from '@pgq/core'

/** Says that a class or a method handles the jobs of a queue. */
interface HandlerDeclaration {
  readonly queue: AnyQueue
  readonly connection: string
  readonly options: HandlerOptions
}

/** Says that a method listens to events of jobs. */
interface ListenerDeclaration {
  readonly event: PgqEventName
  /** Undefined for the jobs of all queues. */
  readonly queue: AnyQueue | undefined
  readonly connection: string
}

/** Says that a queue gets jobs by the clock. */
interface ScheduleDeclaration {
  readonly schedule: Schedule
  readonly connection: string
}

/** Everything that the decorators say, by kind. A new decorator is an entry here, and one where a connection takes them up. */
export interface Declarations {
  readonly handler: HandlerDeclaration
  readonly listener: ListenerDeclaration
  readonly schedule: ScheduleDeclaration
}

/** What a declaration can be of. */
export type DeclarationKind = keyof Declarations

const KEYS: { readonly [Kind in DeclarationKind]: symbol } = {
  handler: Symbol.for('pgq.nest.handler'),
  listener: Symbol.for('pgq.nest.listener'),
  schedule: Symbol.for('pgq.nest.schedule'),
}

/** Every kind. */
export const DECLARATION_KINDS = Object.keys(KEYS) as readonly DeclarationKind[]

/** Notes a declaration at a class, or at the function of a method. */
export function declare<Kind extends DeclarationKind>(
  kind: Kind,
  target: object,
  declaration: Declarations[Kind],
): void {
  const own = (Reflect.getOwnMetadata(KEYS[kind], target) ?? []) as readonly Declarations[Kind][]
  Reflect.defineMetadata(KEYS[kind], [...own, declaration], target)
}

/**
 * Notes a declaration at a method of a class.
 * @throws PgqError INVALID_OPTION where it could have no effect: on a static method, one named by a symbol, or something that is no method
 */
export function declareMethod<Kind extends DeclarationKind>(
  kind: Kind,
  where: string,
  { target, name, descriptor }: { target: object; name: string | symbol; descriptor: PropertyDescriptor },
  declaration: Declarations[Kind],
): void {
  const why = whyNot(target, name, descriptor)
  if (why !== undefined) {
    const owner = typeof target === 'function' ? target.name : target.constructor.name
    throw new PgqError('INVALID_OPTION', `${where} stands on ${owner}.${String(name)}, ${why}`)
  }
  declare(kind, descriptor.value as object, declaration)
}

function whyNot(
  target: object,
  name: string | symbol,
  descriptor: PropertyDescriptor | undefined,
): string | undefined {
  if (typeof target === 'function') return 'which is static: Nest has an instance, make it a method of that'
  if (typeof name === 'symbol') return 'whose name is a symbol, which Nest does not see: give it a name'
  if (typeof descriptor?.value !== 'function') return 'which is no method'
  return undefined
}

/** What was declared at a class, or one that it extends, or at the function of a method. */
export function declarationsOf<Kind extends DeclarationKind>(
  kind: Kind,
  target: object,
): readonly Declarations[Kind][] {
  return (Reflect.getMetadata(KEYS[kind], target) ?? []) as readonly Declarations[Kind][]
}

/**
 * Checks a queue where a decorator names it, which is where the stack trace helps.
 * @throws PgqError INVALID_QUEUE
 */
export function checkQueue(where: string, queue: unknown): asserts queue is AnyQueue {
  checkHandler(where, queue, {})
}

/**
 * Checks a queue and the options of its handler.
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 */
export function checkHandler(where: string, queue: unknown, options: HandlerOptions): void {
  if (queue === undefined) {
    throw new PgqError(
      'INVALID_QUEUE',
      `${where} was given undefined instead of a queue: do two files import each other in a circle?`,
    )
  }
  handle(queue as AnyQueue, () => undefined, options as { transactional?: false })
}
