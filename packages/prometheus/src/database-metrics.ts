import type { Backlog, JobSizes, Pgq } from '@pgq/core'
import type { Family } from './exposition.ts'
import { family, Numbers } from './series.ts'

/** How long a question may hang until another is asked, in timeouts: its connection may be dead without saying so. */
const PATIENCE = 3
/** How many questions may hang at once, so that scrapes never take more connections than twice this. */
const MAX_HANGING = 2

/** What was found at one moment. */
interface Look {
  readonly backlog: readonly Backlog[]
  readonly sizes: JobSizes
}

/** What the database says: the same from every process, so take the maximum over them and not the sum. */
export class DatabaseMetrics {
  readonly #pgq: Pgq
  readonly #cacheMs: number
  readonly #timeoutMs: number
  readonly #queues: Set<string>
  #look: Promise<Look> | undefined
  #lookedMs = -Infinity
  #isPending = false
  #hanging = 0

  constructor(pgq: Pgq, options: { cacheMs: number; timeoutMs: number; queues: Set<string> }) {
    this.#pgq = pgq
    this.#cacheMs = options.cacheMs
    this.#timeoutMs = options.timeoutMs
    this.#queues = options.queues
  }

  /** The metrics as they were a moment ago at the most. When the database can't be asked, that is what they say. */
  async families(): Promise<Family[]> {
    const up = new Numbers()
    const look = await this.#within(this.#freshLook())
    up.set({}, look ? 1 : 0)
    const all = [family('pgq_database_up', 'gauge', 'Whether the database could be asked.', up)]
    return look ? [...all, ...this.#describe(look)] : all
  }

  /** However often one asks, the database is asked once in a while; what hangs is given up and asked again, a few times at most. */
  #freshLook(): Promise<Look> {
    const forMs = performance.now() - this.#lookedMs
    const isStale = this.#isPending
      ? forMs >= PATIENCE * this.#timeoutMs && this.#hanging < MAX_HANGING
      : forMs >= this.#cacheMs
    if (this.#look && !isStale) return this.#look
    const look = Promise.all([this.#pgq.backlog(), this.#pgq.sizes()]).then(([backlog, sizes]) => ({
      backlog,
      sizes,
    }))
    this.#hanging++
    this.#isPending = true
    this.#lookedMs = performance.now()
    this.#look = look
    const onEnd = (): void => {
      this.#hanging--
      if (this.#look === look) this.#isPending = false
    }
    look.then(onEnd, onEnd)
    return look
  }

  async #within(look: Promise<Look>): Promise<Look | undefined> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.#timeoutMs)
    })
    try {
      return await Promise.race([look.catch(() => undefined), late])
    } finally {
      clearTimeout(timer)
    }
  }

  #describe({ backlog, sizes }: Look): Family[] {
    const age = new Numbers()
    // A queue that has caught up is at 0: were its series gone, a scaler would have nothing to scale in by.
    for (const { queue } of backlog) this.#queues.add(queue)
    for (const queue of this.#queues) age.set({ queue }, 0)
    for (const { queue, oldestDueMs } of backlog) age.set({ queue }, Math.max(0, oldestDueMs) / 1_000)
    const jobs = new Numbers()
    for (const [state, count] of Object.entries(sizes)) jobs.set({ state }, count as number)
    return [
      family(
        'pgq_oldest_due_age_seconds',
        'gauge',
        'For how long the oldest due job of the queue has been due: the signal to scale on.',
        age,
      ),
      family('pgq_jobs', 'gauge', 'About how many jobs there are, from the statistics of PostgreSQL.', jobs),
    ]
  }
}
