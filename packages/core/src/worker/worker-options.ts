import os from 'node:os'
import { PgqError, show } from '../errors.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { flagOption, integerOption, knownOptions, textOption } from '../runtime/options.ts'
import { assertSchedule, type Schedule } from '../job/schedule.ts'
import type { Handler } from './handler.ts'

/** How a worker works. Every default is the recommended setting. */
export interface WorkerOptions {
  /** What people see in `pgq.workers`, 1 to 200 characters. @default the host's name and the process id */
  readonly name?: string
  /** How many handlers run at once over all queues, 1 to 100,000. @default no limit but those of the handlers */
  readonly concurrency?: number
  /** How long others wait for a sign of life before they take this worker's jobs, 1 s to 10 m. It is renewed three times as often. @default 9s */
  readonly lease?: Duration
  /**
   * How long a handler may block the event loop, by a long computation say, before others take this worker's jobs: up to 24 h,
   * and longer than the lease. A thread renews the lease meanwhile, on a connection of its own. Nothing else happens in a
   * process whose event loop is blocked, no timeout either. @default none: whoever blocks it for longer than the lease loses it
   */
  readonly maxBlocked?: Duration
  /** The longest time between two looks at idle queues, 20 ms to 5 m. Notifications make it quicker. @default 1s */
  readonly pollInterval?: Duration
  /** How long `stop` waits for running handlers before it aborts their signals, 0 to 24 h. They have 2 s more then, and the last writes 5 s at the most. @default 20s */
  readonly shutdownTimeout?: Duration
  /** Keep a connection that listens for notifications. Behind a transaction pooler there are none, and polling does. @default true */
  readonly listen?: boolean
  /** Take part in the election of who does the maintenance: rescue, partitions, retention. @default true */
  readonly maintenance?: boolean
  /**
   * The schedules that this program wants, each under a name of its own. They are made so when the worker starts; one that no live worker declares
   * any more rests.
   * @default none
   */
  readonly schedules?: readonly Schedule[]
  /** Stop on SIGTERM and SIGINT. A second signal ends the process as usual. @default false */
  readonly signals?: boolean
}

/** The options with their defaults, in ms. */
export interface WorkerSettings {
  readonly name: string
  readonly concurrency: number
  readonly leaseMs: number
  /** Undefined: no thread. */
  readonly maxBlockedMs: number | undefined
  readonly pollMs: number
  readonly shutdownMs: number
  readonly listen: boolean
  readonly maintenance: boolean
  readonly signals: boolean
  readonly schedules: readonly Schedule[]
}

/**
 * Checks the options of a worker.
 * @throws PgqError INVALID_OPTION
 */
export function workerSettings(options: WorkerOptions): WorkerSettings {
  knownOptions('createWorker', options, [
    'name',
    'concurrency',
    'lease',
    'maxBlocked',
    'pollInterval',
    'shutdownTimeout',
    'listen',
    'maintenance',
    'signals',
    'schedules',
  ])
  const {
    name = `${os.hostname()}:${process.pid}`,
    concurrency = 100_000,
    lease = '9s',
    pollInterval = '1s',
    shutdownTimeout = '20s',
  } = options
  const leaseMs = durationMs('lease', lease, { min: 1_000, max: 600_000 })
  return {
    name: textOption('name', name, 200),
    concurrency: integerOption('concurrency', concurrency, 1, 100_000),
    leaseMs,
    maxBlockedMs:
      options.maxBlocked === undefined
        ? undefined
        : durationMs('maxBlocked', options.maxBlocked, { min: leaseMs, max: 86_400_000 }),
    pollMs: durationMs('pollInterval', pollInterval, { min: 20, max: 300_000 }),
    shutdownMs: durationMs('shutdownTimeout', shutdownTimeout, { max: 86_400_000 }),
    listen: flagOption('listen', options.listen ?? true),
    maintenance: flagOption('maintenance', options.maintenance ?? true),
    signals: flagOption('signals', options.signals ?? false),
    schedules: scheduleList(options.schedules ?? []),
  }
}

/** Two schedules of one name would take turns. */
function scheduleList(schedules: readonly Schedule[]): readonly Schedule[] {
  if (!Array.isArray(schedules)) {
    throw new PgqError(
      'INVALID_OPTION',
      `schedules is ${show(schedules)}: it must be a list of what schedule(…) returned`,
    )
  }
  const names = new Set<string>()
  for (const given of schedules as readonly Schedule[]) {
    assertSchedule(given)
    if (names.has(given.name))
      throw new PgqError(
        'INVALID_OPTION',
        `there are two schedules ${show(given.name)}: give one of them another name, schedule(…, { name: '…' })`,
      )
    names.add(given.name)
  }
  return [...schedules]
}

/**
 * Checks that there are handlers, and one for each queue.
 * @throws PgqError INVALID_OPTION, DUPLICATE_HANDLER
 */
export function assertHandlers(handlers: readonly Handler[]): void {
  if (!Array.isArray(handlers) || handlers.length === 0) {
    throw new PgqError(
      'INVALID_OPTION',
      `createWorker needs a list of handlers, one at least, not ${show(handlers)}: createWorker([handle(queue, …)])`,
    )
  }
  const names = new Set<string>()
  for (const handler of handlers) {
    const name: unknown = handler?.queue?.name
    if (typeof name !== 'string' || typeof handler.run !== 'function') {
      throw new PgqError(
        'INVALID_OPTION',
        `${show(handler)} is not a handler: pass what handle(queue, …) returned`,
      )
    }
    if (names.has(name))
      throw new PgqError(
        'DUPLICATE_HANDLER',
        `there are two handlers for the queue ${JSON.stringify(name)}: a queue has one`,
      )
    names.add(name)
  }
}
