import { PgqError } from '../errors.ts'
import type { Service } from '../runtime/service.ts'
import type { Handler } from './handler.ts'
import { WorkerLife } from './life.ts'
import type { WorkerDeps } from './worker-deps.ts'
import { assertHandlers, type WorkerOptions, type WorkerSettings, workerSettings } from './worker-options.ts'

/** What a worker is doing. It is `paused`, and claims nothing, while it can't renew its lease: the database does not answer. */
export type WorkerStatus = 'stopped' | 'starting' | 'running' | 'paused' | 'stopping'

/** Claims jobs and runs their handlers, from `start` to `stop`. Both may be called again. */
export class Worker implements Service {
  readonly #deps: WorkerDeps
  readonly #handlers: readonly Handler[]
  readonly #settings: WorkerSettings
  #life: WorkerLife | undefined
  #starting = false
  /** Starts and stops happen one after the other, in the order of the calls: the last one counts. */
  #queue: Promise<unknown> = Promise.resolve()

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

  /** What it is doing now. */
  get status(): WorkerStatus {
    return this.#life?.status ?? (this.#starting ? 'starting' : 'stopped')
  }

  /**
   * For how long its claim loop has made no progress though the database answers, in ms. It stays near 0 while all is well, whatever there
   * is to do, and while the database can't be reached, which no restart would mend; beyond a minute the process should be started again.
   */
  get stalledMs(): number {
    return this.#life?.stalledMs ?? 0
  }

  /**
   * Connects, checks the schema and begins to work. Resolves when the worker is registered.
   * @throws PgqError SCHEMA_MISSING, SCHEMA_TOO_OLD, SCHEMA_TOO_NEW, DATABASE_UNAVAILABLE
   */
  start(): Promise<void> {
    return this.#next(() => this.#start())
  }

  /**
   * Claims no more, gives back what has not begun, waits for running handlers up to `shutdownTimeout`, aborts their
   * signals, and gives back what still runs then. No attempt is lost by it, and no handle stays open.
   */
  stop(): Promise<void> {
    return this.#next(() => this.#stop())
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {}) // whoever made the call has the error
    return done
  }

  async #start(): Promise<void> {
    if (this.#life) return
    if (this.#deps.isClosed()) throw new PgqError('CLOSED', 'the worker cannot start: its pgq was closed')
    const life = new WorkerLife(this.#deps, this.#handlers, this.#settings)
    this.#starting = true
    await life.begin().finally(() => (this.#starting = false))
    this.#life = life
    if (this.#settings.signals) for (const signal of SIGNALS) process.once(signal, this.#onSignal)
  }

  async #stop(): Promise<void> {
    await this.#life?.end()
    this.#life = undefined
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
