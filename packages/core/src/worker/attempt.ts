import { isPgqError, PgqError } from '../errors.ts'
import type { AttemptEnd, HookList } from '../hooks.ts'
import type { ClaimedJob, Job, Json } from '../job/job.ts'
import { endingOf } from '../job/endings.ts'
import { validate } from '../job/schema.ts'
import type { AttemptResult } from '../job/transition.ts'
import { monotonicMs, startTimer } from '../runtime/clock.ts'
import type { Transaction } from '../store/queryable.ts'
import { attemptEnd } from './attempt-end.ts'
import { AttemptContext } from './context.ts'
import type { Handler } from './handler.ts'

/** After its signal has aborted, how long a handler may take to end before its attempt is settled without it, in ms. */
const ABORT_GRACE_MS = 5_000

/** What attempts need from outside. */
export interface AttemptDeps {
  readonly hooks: HookList
  readonly storeProgress: (attempt: Attempt, value: Json) => Promise<void>
  /** Told when the handler goes on after its timeout and the grace: the attempt is settled now, whatever comes later. */
  readonly onOverrun: (attempt: Attempt, result: AttemptResult) => void
}

/** One run of a handler for one claimed job. */
export class Attempt {
  readonly job: ClaimedJob
  readonly handler: Handler
  readonly workerId: string
  readonly startedMs: number = monotonicMs()
  readonly #deps: AttemptDeps
  #context: AttemptContext | undefined
  #reason: PgqError | undefined
  /** Set when the attempt has been settled without waiting for the handler: what it still does changes nothing. */
  settledEarly = false

  constructor(job: ClaimedJob, handler: Handler, workerId: string, deps: AttemptDeps) {
    this.job = job
    this.handler = handler
    this.workerId = workerId
    this.#deps = deps
  }

  get runningMs(): number {
    return monotonicMs() - this.startedMs
  }

  /** Why the attempt was told to end early, if it was. */
  get aborted(): PgqError | undefined {
    return this.#reason
  }

  /** Aborts the handler's signal. The first reason stands. */
  abort(reason: PgqError): void {
    this.#reason ??= reason
    this.#context?.abort(this.#reason)
  }

  /** Stores how far it is. */
  storeProgress(value: Json): Promise<void> {
    return this.#deps.storeProgress(this, value)
  }

  /** Runs the handler, to the end, inside the hooks if there are any. Never rejects. */
  async run(tx?: Transaction): Promise<AttemptResult> {
    const { hooks } = this.#deps
    if (!hooks.wrapsAttempt) return this.#run(tx)
    try {
      const endOf = (result: AttemptResult): AttemptEnd => attemptEnd(this.job, result)
      return await hooks.aroundAttempt(this.job, () => this.#run(tx), endOf)
    } catch (error) {
      return this.#failure(error)
    }
  }

  async #run(tx?: Transaction): Promise<AttemptResult> {
    const timer = this.#startTimeout()
    try {
      const checked = validate(
        this.handler.queue.payload,
        this.job.payload,
        'PAYLOAD_REJECTED',
        this.job.queue,
      )
      const payload: unknown = checked instanceof Promise ? await checked : checked
      const context = new AttemptContext(this, tx)
      this.#context = context
      if (this.#reason) context.abort(this.#reason)
      const value: unknown = await this.handler.run(jobOf(this.job, payload) as Job<never>, context as never)
      return { kind: 'returned', value }
    } catch (error) {
      return this.#failure(error)
    } finally {
      timer?.stop()
    }
  }

  #failure(error: unknown): AttemptResult {
    if (isPgqError(error, 'PAYLOAD_REJECTED')) return { kind: 'rejected', error }
    if (this.#reason === undefined || endingOf(error) !== undefined) return { kind: 'threw', error }
    if (this.#reason.code === 'WORKER_STOPPING') return { kind: 'interrupted' }
    // Most handlers throw an AbortError now; why it was aborted says more.
    return { kind: 'threw', error: this.#reason }
  }

  #startTimeout(): { stop(): void } | undefined {
    const timeoutMs = this.job.timeoutMs ?? this.handler.queue.timeoutMs
    if (timeoutMs === undefined) return undefined
    let timer = startTimer(timeoutMs, () => {
      const reason = new PgqError(
        'JOB_TIMEOUT',
        `the attempt took longer than its timeout of ${timeoutMs} ms`,
      )
      this.abort(reason)
      timer = startTimer(ABORT_GRACE_MS, () => this.#deps.onOverrun(this, { kind: 'threw', error: reason }))
    })
    return { stop: () => timer.stop() }
  }
}

function jobOf(job: ClaimedJob, payload: unknown): Job {
  return {
    id: job.id,
    queue: job.queue,
    payload,
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    fence: job.fence,
    priority: job.priority,
    group: job.group,
    metadata: job.metadata,
    createdAt: new Date(job.createdAtMs),
    scheduledFor: new Date(job.scheduledForMs),
  }
}
