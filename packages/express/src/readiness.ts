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

/** How long a question may hang until it is given up, in timeouts. Its connection may be dead without saying so, for a quarter of an hour. */
const PATIENCE = 3
/** How many questions may hang at once, so that probes never take more connections than this. */
const MAX_HANGING = 4

/** A question to the database that has no answer yet. */
interface Question {
  readonly at: number
  readonly answer: Promise<boolean>
}

/**
 * Whether the process should be given work. The database is asked at most once at a time and once in a while. A question that hangs
 * is given up after some time and asked again, on another connection then, a few times at most.
 */
export class Readiness {
  readonly #pgq: Pgq
  readonly #settings: ReadinessSettings
  readonly #lifecycle: Lifecycle
  readonly #hanging = new Set<Question>()
  #question: Question | undefined
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
    const question = this.#openQuestion()
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        this.#answer = { isUp: false, at: performance.now() }
        resolve(false)
      }, timeoutMs)
    })
    return Promise.race([question.answer, tooLong]).finally(() => clearTimeout(timer))
  }

  /** The question that is to be waited for: the last one that was asked, or a new one. */
  #openQuestion(): Question {
    const last = this.#question
    const isGivenUp = last && performance.now() - last.at > PATIENCE * this.#settings.timeoutMs
    if (last && (!isGivenUp || this.#hanging.size >= MAX_HANGING)) return last
    const question = { at: performance.now(), answer: this.#ask() }
    this.#hanging.add(question)
    this.#question = question
    void question.answer.then((isUp) => this.#hear(question, isUp))
    return question
  }

  #hear(question: Question, isUp: boolean): void {
    this.#hanging.delete(question)
    const isLast = this.#question === question
    if (isLast) this.#question = undefined
    // That a question has failed which was given up says nothing of now.
    if (isLast || isUp) this.#answer = { isUp, at: performance.now() }
  }

  #ask(): Promise<boolean> {
    return this.#pgq.check().then(
      () => true,
      () => false,
    )
  }
}
