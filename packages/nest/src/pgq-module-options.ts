import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Type } from '@nestjs/common'
import { type Logger, type Pgq, PgqError, type PgqOptions } from '@pgq/core'
import { knownOptions } from '@pgq/core/options'
import { oneOf } from './one-of.ts'
import { type PgqWorkerOptions, type WorkerSettings, workerSettings } from './worker-settings.ts'

/** Which guards, interceptors, pipes and filters a job passes. */
export type Enhancers = 'local' | 'all' | 'none'

/** What `forRoot` takes: the options of `createPgq`, or a `pgq` that you made, and how this process uses it. */
export interface PgqModuleOptions extends PgqOptions {
  /** One that exists already, instead of the options of `createPgq`. You close it. */
  readonly pgq?: Pgq
  /**
   * Whether this process works on jobs, and how. The environment variable `PGQ_WORKER=0` (or `false`) wins: it turns the worker off.
   * @default true, but false when NODE_ENV is `test`
   */
  readonly worker?: boolean | PgqWorkerOptions
  /**
   * At the start: `check` refuses to start when the schema is missing or of another version, `auto` creates it or brings it
   * up to date, `off` does not look.
   * @default 'check'
   */
  readonly migrate?: 'check' | 'auto' | 'off'
  /**
   * `local`: the guards, interceptors, pipes and filters on the processor and its method. `all`: the global ones as well, so
   * they must know that there is not always a request. `none`: no Nest around the call.
   * @default 'local'
   */
  readonly enhancers?: Enhancers
  /**
   * Where the events of pgq go: `true` means Nest's Logger, without a line for each job that goes well; `'debug'` has those too. Or a
   * logger of yours, which gets all; or `false`.
   * @default true
   */
  readonly logger?: boolean | 'debug' | Logger
}

/** What `forRoot` and `forRootAsync` need to know before there are options. */
export interface PgqConnectionOptions {
  /** The name of the connection, when there are several. @default 'default' */
  readonly name?: string
  /** Whether `@InjectPgq` works in modules that do not import this one. @default true */
  readonly isGlobal?: boolean
}

/** A class that makes the options, for `useClass` and `useExisting`. */
export interface PgqOptionsFactory {
  createPgqOptions(): PgqModuleOptions | Promise<PgqModuleOptions>
}

/** What `forRootAsync` takes: one of `useFactory`, `useClass` and `useExisting`. */
export interface PgqModuleAsyncOptions extends PgqConnectionOptions, Pick<ModuleMetadata, 'imports'> {
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[]
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever `inject` names
  readonly useFactory?: (...injected: any[]) => PgqModuleOptions | Promise<PgqModuleOptions>
  readonly useClass?: Type<PgqOptionsFactory>
  readonly useExisting?: InjectionToken<PgqOptionsFactory>
}

/** The options, checked and with their defaults. */
export interface ConnectionSettings {
  /** What to make the `Pgq` from, or the one that was given. */
  readonly source: PgqOptions | { readonly pgq: Pgq }
  /** Undefined when this process does no work, and `idleBecause` says why. */
  readonly worker: WorkerSettings | undefined
  readonly idleBecause: string
  readonly migrate: 'check' | 'auto' | 'off'
  readonly enhancers: Enhancers
  readonly logger: boolean | 'debug' | Logger
}

/**
 * Checks the options of `forRoot` beside those that `createPgq` checks.
 * @throws PgqError INVALID_OPTION
 */
export function connectionSettings(
  options: PgqModuleOptions,
  env: NodeJS.ProcessEnv = process.env,
): ConnectionSettings {
  if (typeof options !== 'object' || options === null) {
    throw new PgqError(
      'INVALID_OPTION',
      `the options of PgqModule are ${String(options)}: they must be an object`,
    )
  }
  knownOptions('PgqModule.forRoot', options, [...OWN_OPTIONS, ...CORE_OPTIONS])
  const { pgq, worker, migrate = 'check', enhancers = 'local', logger = true, ...core } = options
  if (pgq !== undefined) knownOptions('PgqModule, when it is given a pgq,', core, OWN_OPTIONS)
  return {
    source: pgq === undefined ? core : { pgq },
    ...workerSetting(worker, env),
    migrate: oneOf('migrate', migrate, ['check', 'auto', 'off']),
    enhancers: oneOf('enhancers', enhancers, ['local', 'all', 'none']),
    logger: typeof logger === 'object' ? logger : oneOf('logger', logger, [true, false, 'debug']),
  }
}

const OWN_OPTIONS = ['pgq', 'worker', 'migrate', 'enhancers', 'logger']
/** Those of `createPgq`, all of them: the compiler sees to it. */
const CORE_OPTIONS = Object.keys({
  connectionString: true,
  connection: true,
  pool: true,
  schema: true,
  maxPayloadBytes: true,
  retention: true,
} satisfies Record<keyof PgqOptions, true>)

function workerSetting(
  worker: PgqModuleOptions['worker'],
  env: NodeJS.ProcessEnv,
): Pick<ConnectionSettings, 'worker' | 'idleBecause'> {
  const isObject = typeof worker === 'object' && worker !== null
  if (!isObject) oneOf('worker', worker, [true, false, undefined])
  const settings = workerSettings(isObject ? worker : {}) // also where none starts: a process of another kind may be the first to look
  if (/^(0|false|off|no)$/i.test(env['PGQ_WORKER'] ?? '')) return idle(`PGQ_WORKER is ${env['PGQ_WORKER']}`)
  if (worker === false) return idle('worker is false')
  if (worker === undefined && env['NODE_ENV'] === 'test')
    return idle('NODE_ENV is test, and worker is not set')
  return { worker: settings, idleBecause: '' }
}

function idle(idleBecause: string): Pick<ConnectionSettings, 'worker' | 'idleBecause'> {
  return { worker: undefined, idleBecause }
}
