import { jittered, monotonicMs } from './clock.ts'
import type { Service } from './service.ts'

/** What a loop needs to know. */
export interface LoopOptions {
  /** One round. Returns how many ms to wait before the next; `wake()` cuts the wait short. */
  readonly step: () => Promise<number>
  /** Told about a round that rejected. The loop goes on after a growing pause. */
  readonly onError: (error: unknown) => void
  /** The first pause after an error, in ms; it doubles up to `maxPauseMs`, with jitter. @default 100 */
  readonly pauseMs?: number
  /** @default 5000 */
  readonly maxPauseMs?: number
}

/**
 * Runs a step again and again until it is stopped. A step is never run twice at once; a wake-up that arrives
 * while one runs is remembered, so nothing that happened in between is slept through.
 */
export class Loop implements Service {
  readonly #options: LoopOptions
  /** The run that goes on now, if one does; a stopped one ends after its step. */
  #run: Run | undefined
  #finished: Promise<void> = Promise.resolve()
  #woken = false
  /** When the round that runs began, or the next one begins. */
  #dueMs = 0

  constructor(options: LoopOptions) {
    this.#options = options
  }

  start(): Promise<void> {
    if (this.#run === undefined) {
      const run: Run = { isStopped: false, isPausing: false, endSleep: undefined }
      this.#run = run
      this.#dueMs = monotonicMs()
      this.#finished = this.#finished.then(() => this.#repeat(run))
    }
    return Promise.resolve()
  }

  /** Ends the wait for the next step, now or as soon as the running one is over. A pause after an error is not cut short. */
  wake(): void {
    this.#woken = true
    if (this.#run?.isPausing === false) this.#run.endSleep?.()
  }

  /** For how long the round that runs has run, or the next one is overdue, in ms; 0 when it is stopped. */
  get lateMs(): number {
    return this.#run ? Math.max(0, monotonicMs() - this.#dueMs) : 0
  }

  /** Resolves when the step that was running is over. */
  async stop(): Promise<void> {
    if (this.#run) {
      this.#run.isStopped = true
      this.#run.endSleep?.()
      this.#run = undefined
    }
    await this.#finished
  }

  async #repeat(run: Run): Promise<void> {
    const { step, onError, pauseMs = 100, maxPauseMs = 5_000 } = this.#options
    let failures = 0
    while (!run.isStopped) {
      this.#woken = false
      this.#dueMs = monotonicMs()
      let waitMs: number
      try {
        waitMs = await step()
        failures = 0
      } catch (error) {
        onError(error)
        // Wake-ups must not turn an outage into a busy loop: after an error the pause is slept through.
        run.isPausing = true
        waitMs = jittered(Math.min(maxPauseMs, pauseMs * 2 ** failures++), 0.5)
      }
      const rest = waitMs > 0 && (run.isPausing || !this.#woken)
      if (rest) this.#dueMs = monotonicMs() + waitMs
      if (rest && !run.isStopped) await sleep(run, waitMs)
      run.isPausing = false
    }
  }
}

/** One start-to-stop of a loop. */
interface Run {
  isStopped: boolean
  isPausing: boolean
  endSleep: (() => void) | undefined
}

function sleep(run: Run, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    run.endSleep = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}
