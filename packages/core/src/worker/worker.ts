import { PgqError } from '../errors.ts'
import type { Service } from '../runtime/service.ts'
import type { Handler } from './handler.ts'
import { type WorkerDeps, WorkerLife } from './life.ts'
import { assertHandlers, type WorkerOptions, type WorkerSettings, workerSettings } from './worker-options.ts'

/** Claims jobs and runs their handlers, from `start` to `stop`. Both may be called again. */
export class Worker implements Service {
  readonly #deps: WorkerDeps
  readonly #handlers: readonly Handler[]
  readonly #settings: WorkerSettings
  #life: WorkerLife | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(deps: WorkerDeps, handlers: readonly Handler[], options: WorkerOptions) {
    assertHandlers(handlers)
    this.#deps = deps
    this.#handlers = handlers
    this.#settings = workerSettings(options)
  }

  /** The id under which it claims jobs now; undefined while it is stopped. It is new after each start. */
  get id(): string | undefined {
    return this.#life?.workerId
  }

  /**
   * Connects, checks the schema and begins to work. Resolves when the worker is registered.
   * @throws PgqError SCHEMA_MISSING, SCHEMA_TOO_OLD, SCHEMA_TOO_NEW, DATABASE_UNAVAILABLE
   */
  async start(): Promise<void> {
    await this.#stopping
    this.#starting ??= this.#start()
    return this.#starting
  }

  /**
   * Claims no more, gives back what has not begun, waits for running handlers up to `shutdownTimeout`, aborts their
   * signals, and gives back what still runs then. No attempt is lost by it, and no handle stays open.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = undefined
    })
    return this.#stopping
  }

  async #start(): Promise<void> {
    if (this.#deps.isClosed()) {
      this.#starting = undefined
      throw new PgqError('CLOSED', 'the worker cannot start: its pgq was closed')
    }
    const life = new WorkerLife(this.#deps, this.#handlers, this.#settings)
    try {
      await life.begin()
      this.#life = life
    } catch (error) {
      this.#starting = undefined
      throw error
    }
    if (this.#settings.signals) for (const signal of SIGNALS) process.once(signal, this.#onSignal)
  }

  async #stop(): Promise<void> {
    try {
      await this.#starting
    } catch {
      return // whoever called start has had the error
    }
    await this.#life?.end()
    this.#life = undefined
    this.#starting = undefined
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }

  readonly #onSignal = (): void => {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
    this.stop().catch((error: unknown) =>
      this.#deps.events.emit('error', { where: 'stopping on a signal', error }),
    )
  }
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
