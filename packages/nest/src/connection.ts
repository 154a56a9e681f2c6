import {
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common'
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core'
import {
  type AnyQueue,
  type Handler,
  handle,
  type Pgq,
  PgqError,
  type PgqEvents,
  type Schedule,
  type Worker,
} from '@pgq/core'
import { declaredSchedules } from './declared-schedules.ts'
import { EnhancedCalls } from './enhancers.ts'
import { logToNest } from './event-logger.ts'
import { type AnyFound, explore, type ExplorerDeps, type Found } from './explorer.ts'
import { FeatureQueues } from './feature-queues.ts'
import { callOf } from './job-call.ts'
import { afterBootstrap, beforeDestroy } from './lifecycle.ts'
import { isPerJob } from './nest-container.ts'
import { isAbout } from './on-job-event.ts'
import type { ConnectionSettings } from './pgq-module-options.ts'
import { handlersFor, type WorkerSettings } from './worker-settings.ts'

/** What a connection needs of Nest, and of the module. */
export interface ConnectionDeps extends ExplorerDeps {
  readonly name: string
  readonly pgq: Pgq
  /** Whether the module has made the `Pgq`, and closes it. */
  readonly isOurs: boolean
  readonly settings: ConnectionSettings
  readonly config: ApplicationConfig
  /** Whether this application is a test, in which no worker starts. */
  readonly isTest: boolean
}

/** One connection of an application: its `Pgq`, its handlers, its listeners, and the worker of this process. */
export class PgqConnection
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  readonly name: string
  readonly pgq: Pgq
  readonly #deps: ConnectionDeps
  readonly #logger = new Logger('PgqModule')
  readonly #handlers = new Map<string, { readonly handler: Handler; readonly found: Found<'handler'> }>()
  readonly #found: Found<'schedule'>[] = []
  #schedules: readonly Schedule[] = []
  /** How to stop listening to events. */
  readonly #offs: (() => void)[] = []
  #calls: EnhancedCalls | undefined
  #worker: Worker | undefined
  #drained: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(deps: ConnectionDeps) {
    this.#deps = deps
    this.name = deps.name
    this.pgq = deps.pgq
    this.#offs.push(logToNest(deps.pgq.events, deps.settings.logger))
  }

  /** Whether this process is to work on jobs, and has handlers for them. */
  get wantsWorker(): boolean {
    return this.#idleBecause === undefined
  }

  /** The worker, once it has been started. */
  get worker(): Worker | undefined {
    return this.#worker
  }

  /** The largest payload, in bytes; undefined for the default, and for a `Pgq` that was made elsewhere. */
  get maxPayloadBytes(): number | undefined {
    const { source } = this.#deps.settings
    return 'pgq' in source ? undefined : source.maxPayloadBytes
  }

  /** The names of the queues that have a handler. */
  get queues(): readonly string[] {
    return [...this.#handlers.keys()]
  }

  /** The handler of a queue; undefined without one, and before the application is initialized. */
  handlerOf(queue: AnyQueue): Handler | undefined {
    return this.#handlers.get(queue.name)?.handler
  }

  /**
   * Makes a worker for all handlers, or for those that the settings name.
   * @throws PgqError INVALID_OPTION when there are none
   */
  createWorker({ options, queues }: WorkerSettings): Worker {
    const handlers = [...this.#handlers.values()].map(({ handler }) => handler)
    return this.pgq.createWorker(handlersFor(handlers, { options, queues }), options)
  }

  onModuleInit(): void {
    afterBootstrap(this.#deps.modules, () => this.#orClose(() => this.#startWorker()))
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.#orClose(async () => {
      const { modules, config, settings } = this.#deps
      this.#requireOneOfThisName()
      this.#calls = new EnhancedCalls(modules, config, settings.enhancers)
      for (const found of explore(this.#deps)) this.#take(found)
      this.#schedules = declaredSchedules(this.#found, (queue) => this.#handlers.has(queue))
      const hosts = new Set([...this.#handlers.values()].map(({ found }) => found.module))
      beforeDestroy(hosts, () => this.drain())
      if (settings.worker && !this.#deps.isTest) this.#requireHandlers(settings.worker)
    })
  }

  /** The last chance; modules with handlers have seen to it before. */
  onModuleDestroy(): Promise<void> {
    return this.drain()
  }

  onApplicationShutdown(): Promise<void> {
    return this.close()
  }

  /** Claims no more, and waits for the handlers that run. Enqueueing goes on. */
  drain(): Promise<void> {
    this.#drained ??= this.#worker?.stop() ?? Promise.resolve()
    return this.#drained
  }

  /** Ends everything that this application has begun on the connection. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    try {
      await this.drain()
    } finally {
      if (this.#deps.isOurs) await this.pgq.close()
      for (const off of this.#offs.splice(0)) off()
    }
  }

  /** Why there is no worker, if there is none. */
  get #idleBecause(): string | undefined {
    const { settings, isTest } = this.#deps
    if (isTest) return 'this is a test'
    if (!settings.worker) return settings.idleBecause
    return this.#handlers.size === 0 ? 'there are no handlers' : undefined
  }

  async #startWorker(): Promise<void> {
    if (this.#drained) return
    const { settings } = this.#deps
    if (this.#idleBecause !== undefined)
      return this.#logger.log(`${this.#title} has no worker in this process: ${this.#idleBecause}`)
    const { options, queues } = settings.worker ?? { options: {}, queues: undefined }
    const schedules = [...(options.schedules ?? []), ...this.#schedules]
    this.#worker = this.createWorker({ options: { ...options, schedules }, queues })
    await this.#worker.start()
  }

  /**
   * After a start that failed, Nest calls no hooks that end things: all connections end here when it was one of them that failed. When
   * something else does (a hook, a factory) nobody tells pgq: idle connections of its pool then close by themselves after ten seconds, and
   * keep no process alive meanwhile.
   */
  async #orClose(begin: () => Promise<void>): Promise<void> {
    try {
      await begin()
    } catch (error) {
      await Promise.allSettled(connectionsOf(this.#deps.modules).map((connection) => connection.close()))
      throw error
    }
  }

  /** What to do with each kind of declaration. */
  readonly #takers: { readonly [Kind in AnyFound['kind']]: (found: Found<Kind>) => void } = {
    handler: (found) => this.#addHandler(found),
    listener: (found) => this.#addListener(found),
    schedule: (found) => void this.#found.push(found),
  }

  #take(found: AnyFound): void {
    const { connection } = found.declaration
    const connections = connectionsOf(this.#deps.modules)
    if (!connections.some(({ name }) => name === connection)) {
      const what = `${found.name} names the connection ${JSON.stringify(connection)}, which no PgqModule.forRoot has`
      throw connectionUnknown(what, connections)
    }
    if (connection === this.name) this.#takers[found.kind](found as never)
  }

  #addHandler(found: Found<'handler'>): void {
    const { queue, options } = found.declaration
    const other = this.#handlers.get(queue.name)?.found
    if (other) {
      throw new PgqError(
        'DUPLICATE_HANDLER',
        `queue ${JSON.stringify(queue.name)} has two handlers on ${this.#title}: ${place(other)} and ${place(found)}; a queue has one`,
      )
    }
    const instance: unknown = isPerJob(found.provider) ? undefined : found.provider.instance
    if (instance !== undefined && typeof (instance as Record<string, unknown>)[found.method] !== 'function') {
      throw new PgqError('INVALID_OPTION', `${place(found)} handles ${queue.name}, and it is no method`)
    }
    const call = callOf(found, this.#calls as EnhancedCalls)
    const handler = handle(queue, call as never, options as { transactional?: false })
    this.#handlers.set(queue.name, { handler, found })
  }

  #addListener({ declaration, provider, method, name }: Found<'listener'>): void {
    if (isPerJob(provider)) {
      throw new PgqError(
        'INVALID_OPTION',
        `${name} listens to ${declaration.event}, but its class has a new instance for each job: move it into one that has not`,
      )
    }
    const instance = provider.instance as Record<string, (event: unknown) => unknown>
    const { event, queue } = declaration
    const listen = (what: PgqEvents[typeof event]): unknown =>
      queue === undefined || isAbout(what, queue) ? instance[method]?.(what) : undefined
    this.#offs.push(this.pgq.events.on(event, listen))
  }

  /** What this process is to work on: what it was told, or else what `forFeature` says. */
  #requireHandlers({ queues }: WorkerSettings): void {
    const missing = [...(queues?.keys() ?? this.#handledHere())].find((name) => !this.#handlers.has(name))
    if (missing !== undefined) throw handlerMissing(missing, this.#title)
  }

  *#handledHere(): Iterable<string> {
    for (const provider of this.#deps.discovery.getProviders()) {
      const feature: unknown = provider.instance
      if (!(feature instanceof FeatureQueues) || feature.connection !== this.name) continue
      for (const { name } of feature.handledHere) yield name
    }
  }

  #requireOneOfThisName(): void {
    const same = connectionsOf(this.#deps.modules).filter(({ name }) => name === this.name)
    if (same.length === 1) return
    throw new PgqError(
      'INVALID_OPTION',
      `there are ${same.length} PgqModule.forRoot for ${this.#title}: give all but one a name, forRoot({ name: … })`,
    )
  }

  get #title(): string {
    return `the connection ${JSON.stringify(this.name)}`
  }
}

/** The connections of an application. */
export function connectionsOf(modules: ModulesContainer): PgqConnection[] {
  return [...modules.values()]
    .flatMap((module) => [...module.providers.values()])
    .map((provider): unknown => (provider.isAlias ? undefined : provider.instance))
    .filter((instance): instance is PgqConnection => instance instanceof PgqConnection)
}

/**
 * One connection of an application.
 * @throws PgqError INVALID_OPTION naming those that there are
 */
export function connectionOf(modules: ModulesContainer, name: string): PgqConnection {
  const connections = connectionsOf(modules)
  const found = connections.find((connection) => connection.name === name)
  if (found) return found
  throw connectionUnknown(`there is no connection ${JSON.stringify(name)}`, connections)
}

function connectionUnknown(what: string, connections: readonly PgqConnection[]): PgqError {
  const names = connections.map((connection) => JSON.stringify(connection.name)).join(', ')
  return new PgqError(
    'INVALID_OPTION',
    `${what}: ${names ? `there is ${names}` : 'PgqModule.forRoot is missing'}`,
  )
}

function place({ name, module }: AnyFound): string {
  return `${name} in ${module.name}`
}

function handlerMissing(queue: string, title: string): PgqError {
  return new PgqError(
    'INVALID_OPTION',
    `queue ${JSON.stringify(queue)} has no handler on ${title}: is the class with its @Processor or @Process in the providers of a module? ` +
      'In a process that only enqueues, set worker: false or PGQ_WORKER=0; for a queue that another application handles, ' +
      'PgqModule.forFeature([queue], { handledElsewhere: true })',
  )
}
