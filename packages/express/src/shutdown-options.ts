import type { Server } from 'node:http'
import { constants } from 'node:os'
import { type Duration, durationMs, type Pgq, PgqError, type Worker } from '@pgq/core'
import { functionOption, knownOptions, show } from '@pgq/core/options'
import { assertPgq } from './assert-pgq.ts'
import { hasFunction, listOption, workersOption } from './list-options.ts'

/** The steps, in their order. */
export type ShutdownStepName = 'readiness' | 'claiming' | 'streams' | 'server' | 'drain' | 'close' | 'pools'

/** A step is told when it is over. */
export interface ShutdownStep {
  /**
   * `readiness`: `/readyz` answers 503. `claiming`: the workers take no more jobs. `streams`: the streams of progress are
   * closed. `server`: the last request is answered. `drain`: running jobs have ended or were given back. `close`: pgq is closed. `pools`: so are
   * your pools.
   */
  readonly step: ShutdownStepName
  /** Since the shutdown began. */
  readonly elapsedMs: number
  /** True when it was not over in time, and the shutdown went on without it. */
  readonly late: boolean
  /** Why it failed, if it did. The shutdown goes on. */
  readonly error?: unknown
}

/** How a shutdown went. */
export interface ShutdownReport {
  /** Whether every step was over in time and none has failed. */
  readonly clean: boolean
  readonly elapsedMs: number
  readonly steps: readonly ShutdownStep[]
}

/** Options of `gracefulShutdown`. */
export interface ShutdownOptions {
  /** What `app.listen(…)` or `http.createServer(app)` returned. */
  readonly server: Server
  readonly pgq: Pgq
  /** The workers of this process: those that are not named stop only when `pgq` is closed, after the last request. */
  readonly workers?: readonly Worker[]
  /** What else is to be closed, in the end: pools of the application, and everything that has `end()`. */
  readonly pools?: readonly { end(): Promise<unknown> }[]
  /**
   * How long all of it may take, 1 ms to 24 d. Keep it above the `shutdownTimeout` of the workers (20 s by default) and below what
   * the process is given before it is killed (30 s by default in Kubernetes). @default 28s
   */
  readonly timeout?: Duration
  /** How long to go on taking requests after readiness is gone, until load balancers know; a part of `timeout`. @default 0 */
  readonly readinessDelay?: Duration
  /** The signals to shut down on; none for `[]`. A second one, a quarter of a second or more after the first, ends the process at once. @default SIGTERM and SIGINT */
  readonly signals?: readonly NodeJS.Signals[]
  /** Told of each step. */
  readonly onStep?: (step: ShutdownStep) => void
}

/** The options with their defaults. */
export interface ShutdownSettings {
  readonly server: Server
  readonly pgq: Pgq
  readonly workers: readonly Worker[]
  readonly pools: readonly { end(): Promise<unknown> }[]
  readonly timeoutMs: number
  readonly readinessDelayMs: number
  readonly signals: readonly NodeJS.Signals[]
  readonly onStep: (step: ShutdownStep) => void
}

const KNOWN = ['server', 'pgq', 'workers', 'pools', 'timeout', 'readinessDelay', 'signals', 'onStep']

/**
 * Checks the options.
 * @throws PgqError INVALID_OPTION
 */
export function shutdownSettings(options: ShutdownOptions): ShutdownSettings {
  knownOptions('gracefulShutdown', options, KNOWN)
  assertPgq('gracefulShutdown', options.pgq)
  const { server, pgq } = options
  if (!hasFunction(server, 'closeIdleConnections')) {
    throw new PgqError(
      'INVALID_OPTION',
      `server is ${show(server)}: it must be the server that app.listen(…) returned, not the app`,
    )
  }
  const timeoutMs = durationMs('timeout', options.timeout ?? '28s', { min: 1, max: 2 ** 31 - 1 })
  const readinessDelayMs = durationMs('readinessDelay', options.readinessDelay ?? 0, { max: timeoutMs })
  const onStep = functionOption('onStep', options.onStep ?? (() => {}))
  const workers = workersOption(options.workers ?? [])
  const pools = listOption(
    'pools',
    options.pools ?? [],
    (pool) => hasFunction(pool, 'end'),
    'have a function end',
  )
  const signals = listOption<NodeJS.Signals>(
    'signals',
    options.signals ?? ['SIGTERM', 'SIGINT'],
    (signal) => Object.hasOwn(constants.signals, signal) && !UNCATCHABLE.has(signal),
    'be the name of a signal, such as SIGTERM; SIGKILL and SIGSTOP cannot be caught',
  )
  return { server, pgq, workers, pools, timeoutMs, readinessDelayMs, signals, onStep }
}

/** Node throws for these. */
const UNCATCHABLE: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP'])
