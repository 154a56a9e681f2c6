import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { lifecycleOf } from './lifecycle.ts'
import { ServerCloser } from './server-closer.ts'
import {
  type ShutdownOptions,
  type ShutdownReport,
  shutdownSettings,
  type ShutdownSettings,
  type ShutdownStep,
} from './shutdown-options.ts'

/** A terminal's Ctrl-C may arrive twice, from the terminal and from the script that started the process: that is one. */
const SAME_SIGNAL_MS = 250
/** How long a process that has nothing left to do may take to end by itself. */
const EXIT_GRACE_MS = 500
/** What requests leave of the timeout to the steps that follow, in ms, or a tenth of it. */
const RESERVE_MS = 2_000

/**
 * Shuts the process down in the right order when a signal comes, or when the returned function is called:
 *
 * 1. `/readyz` answers 503, so that no new work is sent here;
 * 2. the workers claim no more jobs, and their running jobs go on;
 * 3. streams of progress are closed, or the server would wait for them; their clients connect again, elsewhere;
 * 4. the server takes no more connections, closes idle ones, and answers the requests under way, which may still enqueue;
 * 5. running jobs end, or are given back when the worker's `shutdownTimeout` is over;
 * 6. `pgq.close()`; 7. your pools, which requests and handlers have used until now.
 *
 * One timeout holds for all of it: what is not over by then is left, and jobs among it are rescued by another worker. After a signal the
 * process ends, with exit code 0, or 1 when a step was late or failed. The returned function may be called any number of times; it
 * never rejects, and leaves it to you to end the process.
 * @throws PgqError INVALID_OPTION
 * @example
 * gracefulShutdown({ server: app.listen(3000), pgq, workers: [worker], pools: [pool] })
 */
export function gracefulShutdown(options: ShutdownOptions): () => Promise<ShutdownReport> {
  const settings = shutdownSettings(options)
  const closer = new ServerCloser(settings.server)
  let running: Promise<ShutdownReport> | undefined
  const shutdown = (): Promise<ShutdownReport> =>
    (running ??= new Shutdown(settings, closer).run().finally(stopListening))

  let firstAt: number | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      void shutdown().then(endProcess)
    } else if (now - firstAt > SAME_SIGNAL_MS) {
      process.exit(128 + constants.signals[signal])
    }
  }
  const stopListening = (): void => {
    for (const signal of settings.signals) process.off(signal, onSignal)
  }
  for (const signal of settings.signals) process.on(signal, onSignal)
  return shutdown
}

/** Lets the process end by itself, so that nothing is lost that is still being written, and ends it if it doesn't. */
function endProcess({ clean }: ShutdownReport): void {
  process.exitCode ??= clean ? 0 : 1
  setTimeout(() => process.exit(), EXIT_GRACE_MS).unref()
}

/** One run through the steps. */
class Shutdown {
  readonly #settings: ShutdownSettings
  readonly #closer: ServerCloser
  readonly #startedAt = performance.now()
  readonly #steps: ShutdownStep[] = []

  constructor(settings: ShutdownSettings, closer: ServerCloser) {
    this.#settings = settings
    this.#closer = closer
  }

  async run(): Promise<ShutdownReport> {
    const { pgq, workers, pools, timeoutMs, readinessDelayMs } = this.#settings
    const lifecycle = lifecycleOf(pgq)
    await this.#step('readiness', async () => lifecycle.beginEnding())
    // Each begins to stop here, claims no more, and is waited for further down.
    const stopping = all(workers, (worker) => worker.stop())
    stopping.catch(() => {}) // told by the step `drain`
    await this.#step('claiming', async () => {})
    if (readinessDelayMs > 0) await sleep(Math.min(readinessDelayMs, this.#leftMs))
    await this.#step('streams', async () => lifecycle.closeStreams())
    const reserveMs = Math.min(RESERVE_MS, timeoutMs / 10)
    const inTime = await this.#step('server', () => this.#closer.close(), this.#leftMs - reserveMs)
    if (!inTime) this.#closer.cut()
    await this.#step('drain', () => stopping)
    await this.#step('close', () => pgq.close())
    await this.#step('pools', () => all(pools, (pool) => pool.end()))
    const clean = this.#steps.every(({ late, error }) => !late && error === undefined)
    return { clean, elapsedMs: performance.now() - this.#startedAt, steps: this.#steps }
  }

  get #leftMs(): number {
    return this.#settings.timeoutMs - (performance.now() - this.#startedAt)
  }

  /** Does a step, waits no longer than there is time, and tells how it went. Returns whether it was over in time. */
  async #step(
    step: ShutdownStep['step'],
    work: () => Promise<unknown>,
    withinMs: number = this.#leftMs,
  ): Promise<boolean> {
    const outcome = await settledWithin(withinMs, work)
    const elapsedMs = performance.now() - this.#startedAt
    const said: ShutdownStep = { step, elapsedMs, ...outcome }
    this.#steps.push(said)
    try {
      this.#settings.onStep(said)
    } catch {
      // A log that fails must not keep the process from ending.
    }
    return !outcome.late
  }
}

/** Does something with each, waits for all of them, and then fails if one has, whether it threw or rejected. */
async function all<T>(things: readonly T[], work: (thing: T) => Promise<unknown>): Promise<void> {
  const outcomes = await Promise.allSettled(things.map(async (thing) => work(thing)))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
}

/** Waits for work as long as there is time. Work that is late goes on, and nobody hears of it any more. */
async function settledWithin(
  ms: number,
  work: () => Promise<unknown>,
): Promise<{ late: boolean; error?: unknown }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<{ late: boolean }>((resolve) => {
    timer = setTimeout(() => resolve({ late: true }), Math.max(0, ms))
  })
  const done = Promise.resolve()
    .then(work)
    .then(
      () => ({ late: false }),
      (error: unknown) => ({ late: false, error }),
    )
  return Promise.race([done, late]).finally(() => clearTimeout(timer))
}
