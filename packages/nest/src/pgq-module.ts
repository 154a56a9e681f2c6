import { type DynamicModule, Module, type Provider, Scope, type Type } from '@nestjs/common'
import {
  ApplicationConfig,
  DiscoveryModule,
  DiscoveryService,
  MetadataScanner,
  ModulesContainer,
  REQUEST,
} from '@nestjs/core'
import { type AnyQueue, createPgq, isPgqError, type Pgq, PgqError } from '@pgq/core'
import { knownOptions } from '@pgq/core/options'
import { PgqConnection } from './connection.ts'
import { checkQueue } from './declarations.ts'
import { FeatureQueues } from './feature-queues.ts'
import { contextOf } from './job-call.ts'
import {
  type ConnectionSettings,
  connectionSettings,
  type PgqConnectionOptions,
  type PgqModuleAsyncOptions,
  type PgqModuleOptions,
  type PgqOptionsFactory,
} from './pgq-module-options.ts'
import { QueueClient } from './queue-client.ts'
import {
  DEFAULT_CONNECTION,
  getConnectionToken,
  getOptionsToken,
  getPgqToken,
  getQueueToken,
  JOB_CONTEXT,
  TESTING,
} from './tokens.ts'

/** What else `forFeature` can be told. */
export interface PgqFeatureOptions {
  /** The `name` of the connection in `forRoot`. @default 'default' */
  readonly connection?: string
  /** Another application handles these queues: this one need not have a handler for them. @default false */
  readonly handledElsewhere?: boolean
}

/**
 * A job queue for the application: `forRoot` once (and once for each further connection), `forFeature` in each module that enqueues.
 * @example
 * \@Module({ imports: [PgqModule.forRoot({ connectionString: process.env.DATABASE_URL }), PgqModule.forFeature([receipts])] })
 */
@Module({})
export class PgqModule {
  /**
   * Connects an application.
   * @throws PgqError INVALID_OPTION; at the start SCHEMA_MISSING, SCHEMA_TOO_OLD, SCHEMA_TOO_NEW, DATABASE_UNAVAILABLE
   */
  static forRoot(options: PgqModuleOptions & PgqConnectionOptions): DynamicModule {
    const { name, isGlobal, ...settings } = options ?? {}
    connectionSettings(settings) // what is wrong is best said here; what the environment says counts at the start
    const provider = { useFactory: () => connectionSettings(settings) }
    return rootModule({ name, isGlobal }, [], (provide) => [{ provide, ...provider }])
  }

  /**
   * The same, with options that other providers take part in.
   * @throws PgqError INVALID_OPTION; at the start as `forRoot`
   */
  static forRootAsync(options: PgqModuleAsyncOptions): DynamicModule {
    knownOptions('PgqModule.forRootAsync', options, ASYNC_OPTIONS)
    const { name, isGlobal, imports, ...how } = options
    return rootModule({ name, isGlobal }, imports ?? [], (provide) => settingsProviders(provide, how))
  }

  /**
   * Makes the queues injectable with `@InjectQueue`, and says that they need handlers.
   * @param options a connection's name, or more
   * @throws PgqError INVALID_QUEUE, INVALID_OPTION; at the start, when there is no such connection
   */
  static forFeature(queues: readonly AnyQueue[], options: string | PgqFeatureOptions = {}): DynamicModule {
    if (!Array.isArray(queues))
      throw new PgqError(
        'INVALID_OPTION',
        'PgqModule.forFeature takes a list of queues: forFeature([receipts])',
      )
    for (const queue of queues) checkQueue('PgqModule.forFeature', queue)
    const given = typeof options === 'string' ? { connection: options } : options
    knownOptions('PgqModule.forFeature', given, ['connection', 'handledElsewhere'])
    const { connection = DEFAULT_CONNECTION, handledElsewhere = false } = given
    return {
      module: PgqFeatureModule,
      providers: [
        { provide: FeatureQueues, useValue: new FeatureQueues(connection, handledElsewhere ? [] : queues) },
        ...queues.map((queue) => clientProvider(queue, connection)),
      ],
      exports: queues.map((queue) => getQueueToken(queue, connection)),
    }
  }
}

const ASYNC_OPTIONS = ['name', 'isGlobal', 'imports', 'inject', 'useFactory', 'useClass', 'useExisting']

/** What `forFeature` returns is one of these. It has no state. */
@Module({})
class PgqFeatureModule {}

function rootModule(
  {
    name = DEFAULT_CONNECTION,
    isGlobal = true,
  }: { name?: string | undefined; isGlobal?: boolean | undefined },
  imports: NonNullable<DynamicModule['imports']>,
  options: (token: ReturnType<typeof getOptionsToken>) => Provider[],
): DynamicModule {
  if (typeof name !== 'string' || name === '')
    throw new PgqError('INVALID_OPTION', 'the name of a connection must be text')
  return {
    module: PgqModule,
    global: isGlobal,
    imports: [DiscoveryModule, ...imports],
    providers: [
      ...options(getOptionsToken(name)),
      { provide: getPgqToken(name), inject: [getOptionsToken(name)], useFactory: openPgq },
      connectionProvider(name),
      { provide: JOB_CONTEXT, scope: Scope.REQUEST, inject: [REQUEST], useFactory: contextOf },
    ],
    exports: [getPgqToken(name), JOB_CONTEXT],
  }
}

/** The `Pgq`s that were made here, and are closed here. */
const ours = new WeakSet<Pgq>()

/** The schema is looked at before anybody has the `Pgq`, so that it can be used from the first hook on. */
async function openPgq({ source, migrate }: ConnectionSettings): Promise<Pgq> {
  const pgq = 'pgq' in source ? source.pgq : createPgq(source)
  if (!('pgq' in source)) ours.add(pgq)
  try {
    if (migrate === 'auto') await pgq.migrate()
    if (migrate === 'check') await pgq.check()
    return pgq
  } catch (error) {
    if (ours.has(pgq)) await pgq.close()
    throw withWayOut(error)
  }
}

function withWayOut(error: unknown): unknown {
  if (!isPgqError(error, 'SCHEMA_MISSING') && !isPgqError(error, 'SCHEMA_TOO_OLD')) return error
  return new PgqError(error.code, `${error.message} (or PgqModule does it, with migrate: 'auto')`, {
    cause: error,
  })
}

function connectionProvider(name: string): Provider {
  return {
    provide: getConnectionToken(name),
    inject: [
      getPgqToken(name),
      getOptionsToken(name),
      DiscoveryService,
      MetadataScanner,
      ModulesContainer,
      ApplicationConfig,
      { token: TESTING, optional: true },
    ],
    useFactory: (
      pgq: Pgq,
      settings: ConnectionSettings,
      discovery: DiscoveryService,
      scanner: MetadataScanner,
      modules: ModulesContainer,
      config: ApplicationConfig,
      testing?: true,
    ) =>
      new PgqConnection({
        name,
        pgq,
        settings,
        discovery,
        scanner,
        modules,
        config,
        isOurs: ours.has(pgq),
        isTest: testing === true,
      }),
  }
}

function settingsProviders(
  provide: ReturnType<typeof getOptionsToken>,
  {
    inject = [],
    useFactory,
    useClass,
    useExisting,
  }: Omit<PgqModuleAsyncOptions, 'imports' | 'name' | 'isGlobal'>,
): Provider[] {
  const given = [useFactory, useClass, useExisting].filter((one) => one !== undefined)
  if (given.length !== 1) {
    throw new PgqError(
      'INVALID_OPTION',
      `PgqModule.forRootAsync needs one of useFactory, useClass and useExisting, and was given ${given.length} of them`,
    )
  }
  if (useFactory) {
    const make = async (...injected: unknown[]): Promise<ConnectionSettings> =>
      connectionSettings(await useFactory(...injected))
    return [{ provide, inject, useFactory: make }]
  }
  const factory = useClass ?? (useExisting as Type<PgqOptionsFactory>)
  return [...(useClass ? [useClass] : []), { provide, inject: [factory], useFactory: askFactory }]
}

async function askFactory(factory: PgqOptionsFactory): Promise<ConnectionSettings> {
  return connectionSettings(await factory.createPgqOptions())
}

/** With the `Pgq` injected Nest has it ready before the client; where it is not visible, it is looked for when it is used. */
function clientProvider(queue: AnyQueue, connection: string): Provider {
  const token = getPgqToken(connection)
  return {
    provide: getQueueToken(queue, connection),
    inject: [ModulesContainer, { token, optional: true }],
    useFactory: (modules: ModulesContainer, visible?: Pgq) => {
      const host = [...modules.values()].find((module) => module.hasProvider(token))
      if (!visible && !host) throw connectionMissing(queue, connection)
      return new QueueClient(queue, () => {
        const pgq = visible ?? host?.getProviderByKey<Pgq | null>(token).instance
        if (!pgq) throw connectionNotReady(queue, connection)
        return pgq
      })
    },
  }
}

function connectionMissing({ name }: AnyQueue, connection: string): PgqError {
  const is = connection === DEFAULT_CONNECTION ? '' : `{ name: ${JSON.stringify(connection)}, … }`
  return new PgqError(
    'INVALID_OPTION',
    `PgqModule.forFeature([${name}]) needs the connection ${JSON.stringify(connection)}, and there is none: ` +
      `import PgqModule.forRoot(${is || '…'}) in the root module`,
  )
}

function connectionNotReady({ name }: AnyQueue, connection: string): PgqError {
  return new PgqError(
    'INVALID_OPTION',
    `the client of queue ${JSON.stringify(name)} was used before its connection ${JSON.stringify(connection)} was ready: ` +
      'use it from onModuleInit on, or let forRoot be global (isGlobal)',
  )
}
