import {
  type AnyQueue,
  createPgq,
  defineQueue,
  type Handler,
  handle,
  PgqError,
  type WorkerOptions,
} from '@pgq/core'
import { assertQueue, integerOption, knownOptions, show, textOption } from '@pgq/core/options'

/** One queue that a process works on, and how many of its jobs at once (1 to 10,000), instead of what its processor says. */
export interface PgqWorkerQueue {
  readonly queue: AnyQueue | string
  /** @default the `concurrency` of its processor */
  readonly concurrency?: number
}

/** How this process works: the options of `createWorker`, and on what. */
export interface PgqWorkerOptions extends Omit<WorkerOptions, 'signals'> {
  /**
   * Work only on these queues: their definitions or names, or `{ queue, concurrency }`. The handlers of the others are left to other processes.
   * @default all that have a handler
   */
  readonly queues?: readonly (AnyQueue | string | PgqWorkerQueue)[]
}

/** The same, checked. */
export interface WorkerSettings {
  readonly options: WorkerOptions
  /** The names of the queues, with the concurrency that was given; undefined for all. */
  readonly queues: ReadonlyMap<string, number | undefined> | undefined
}

/**
 * Checks the options of the worker, whether there will be one or not.
 * @throws PgqError INVALID_OPTION, INVALID_QUEUE
 */
export function workerSettings({ queues, ...options }: PgqWorkerOptions): WorkerSettings {
  if ('signals' in options) {
    throw new PgqError(
      'INVALID_OPTION',
      'worker.signals is not for Nest, which stops the worker itself: call app.enableShutdownHooks()',
    )
  }
  tryOut(options)
  return { options, queues: queues === undefined ? undefined : queueSettings(queues) }
}

/** What is wrong with options is for core to say, which looks at them when it makes a worker. This one is never started, and connects to nothing. */
function tryOut(options: WorkerOptions): void {
  const pgq = createPgq({ connectionString: 'postgres://localhost' })
  pgq.createWorker([handle(defineQueue('none'), () => undefined)], options)
}

function queueSettings(queues: NonNullable<PgqWorkerOptions['queues']>): Map<string, number | undefined> {
  if (!Array.isArray(queues) || queues.length === 0) {
    throw new PgqError(
      'INVALID_OPTION',
      `worker.queues is ${show(queues)}: it must be a list of queues or their names; for none at all, set worker: false`,
    )
  }
  return new Map((queues as readonly (AnyQueue | string | PgqWorkerQueue)[]).map(queueSetting))
}

function queueSetting(given: AnyQueue | string | PgqWorkerQueue): [string, number | undefined] {
  if (typeof given !== 'object' || given === null || !('queue' in given)) return [nameOf(given), undefined]
  knownOptions('a queue of worker.queues', given, ['queue', 'concurrency'])
  const { queue, concurrency } = given
  return [
    nameOf(queue),
    concurrency === undefined ? undefined : integerOption('concurrency', concurrency, 1, 10_000),
  ]
}

function nameOf(queue: AnyQueue | string): string {
  if (typeof queue === 'string') return textOption('a queue of worker.queues', queue, 200)
  assertQueue(queue)
  return queue.name
}

/** The handlers of the queues that a process works on, with the concurrency that it has for them. */
export function handlersFor(handlers: readonly Handler[], { queues }: WorkerSettings): readonly Handler[] {
  if (!queues) return handlers
  return handlers
    .filter(({ queue }) => queues.has(queue.name))
    .map((handler) => ({ ...handler, concurrency: queues.get(handler.queue.name) ?? handler.concurrency }))
}
