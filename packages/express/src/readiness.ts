import type { Pgq, Worker } from '@pgq/core'
import { type Lifecycle, lifecycleOf } from './lifecycle.ts'

/** What was found: `ok`, or what is the matter, in words that may be shown to everybody. */
export interface ReadinessReport {
  readonly isReady: boolean
  readonly checks: {
    /** Only while the process shuts down; then nothing else is looked at. */
    readonly shutdown?: 'in progress'
    readonly database?: 'ok' | 'unavailable'
    /** The status of a worker that doesn't run, or `ok`; left out where there are none. */
    readonly workers?: string
  }
}

/** How readiness is looked at. */
export interface ReadinessSettings {
  readonly workers: readonly Worker[]
  readonly timeoutMs: number
  readonly cacheMs: number
}

/**
 * Whether the process should be given work. The database is asked at most once at a time and once in a while: a question that hangs
 * is not asked again until it has failed, so that probes take one connection at most.
 */
export class Readiness {
  readonly #pgq: Pgq
  readonly #settings: ReadinessSettings
  readonly #lifecycle: Lifecycle
  #asking: Promise<boolean> | undefined
  #answer: { readonly isUp: boolean; readonly at: number } | undefined

  constructor(pgq: Pgq, settings: ReadinessSettings) {
    this.#pgq = pgq
    this.#settings = settings
    this.#lifecycle = lifecycleOf(pgq)
  }

  async look(): Promise<ReadinessReport> {
    // Whoever shuts down may have closed the database already, and needs no answer from it.
    if (this.#lifecycle.isEnding) return { isReady: false, checks: { shutdown: 'in progress' } }
    const isUp = await this.#isDatabaseUp()
    const workers = this.#workers()
    return {
      isReady: isUp && (workers === undefined || workers === 'ok'),
      checks: { database: isUp ? 'ok' : 'unavailable', ...(workers !== undefined && { workers }) },
    }
  }

  #workers(): string | undefined {
    const { workers } = this.#settings
    if (workers.length === 0) return undefined
    return workers.find((worker) => worker.status !== 'running')?.status ?? 'ok'
  }

  async #isDatabaseUp(): Promise<boolean> {
    const { timeoutMs, cacheMs } = this.#settings
    const known = this.#answer
    if (known && performance.now() - known.at < cacheMs) return known.isUp
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        this.#answer = { isUp: false, at: performance.now() }
        resolve(false)
      }, timeoutMs)
    })
    return Promise.race([this.#asking, tooLong]).finally(() => clearTimeout(timer))
  }

  async #ask(): Promise<boolean> {
    const isUp = await this.#pgq.check().then(
      () => true,
      () => false,
    )
    this.#answer = { isUp, at: performance.now() }
    return isUp
  }
}
