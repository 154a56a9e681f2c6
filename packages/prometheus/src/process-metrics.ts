import type { EventJob, Pgq, Worker } from '@pgq/core'
import type { Family } from './exposition.ts'
import { Durations, family, Numbers } from './series.ts'

/** What happens in this process, counted as it happens: Prometheus adds the processes up. */
export class ProcessMetrics {
  readonly #enqueued = new Numbers()
  readonly #ended = new Numbers()
  readonly #running = new Numbers()
  readonly #run = new Durations()
  readonly #wait = new Durations()
  readonly #rescued = new Numbers()
  readonly #errors = new Numbers()
  readonly #listener = new Numbers()
  readonly #workers: readonly Worker[]
  /** The queues that this process has had to do with. */
  readonly queues = new Set<string>()

  constructor(workers: readonly Worker[]) {
    this.#workers = workers
    this.#errors.add({}, 0)
    this.#rescued.add({}, 0)
  }

  /** Begins to count; returns the function that ends it. */
  watch(pgq: Pgq): () => void {
    const { events } = pgq
    const ends = [
      pgq.use({
        attempt: async (job, next) => {
          this.#began(job)
          const startedMs = performance.now()
          await next()
          this.#run.observe({ queue: job.queue }, (performance.now() - startedMs) / 1_000)
          this.#running.add({ queue: job.queue }, -1)
        },
      }),
      events.on('job.enqueued', ({ queue, ids }) => {
        this.queues.add(queue)
        this.#enqueued.add({ queue }, ids.length)
      }),
      ...(['completed', 'failed', 'dead', 'cancelled', 'snoozed', 'released', 'lost'] as const).map(
        (outcome) =>
          events.on(`job.${outcome}`, ({ job }: { job: EventJob }) =>
            this.#ended.add({ queue: job.queue, outcome }),
          ),
      ),
      events.on('job.rescued', ({ jobs }) => this.#rescued.add({}, jobs.length)),
      events.on('error', () => this.#errors.add({})),
      events.on('listener.connected', () => this.#listener.set({}, 1)),
      events.on('listener.disconnected', () => this.#listener.set({}, 0)),
      events.on('worker.started', ({ queues }) => {
        for (const queue of queues) this.queues.add(queue)
      }),
    ]
    return () => {
      for (const end of ends) end()
    }
  }

  /** The metrics as they are now. */
  get families(): Family[] {
    const up = new Numbers()
    const stalled = new Numbers()
    for (const [at, worker] of this.#workers.entries()) {
      up.set({ worker: String(at) }, worker.status === 'running' ? 1 : 0)
      stalled.set({ worker: String(at) }, worker.stalledMs / 1_000)
    }
    return [
      family(
        'pgq_jobs_enqueued_total',
        'counter',
        'Jobs written by this process; in a transaction that rolls back they never were.',
        this.#enqueued,
      ),
      family(
        'pgq_jobs_ended_total',
        'counter',
        'Attempts by how they ended, once the database has accepted it.',
        this.#ended,
      ),
      family('pgq_jobs_running', 'gauge', 'Handlers that run now.', this.#running),
      family('pgq_job_run_seconds', 'histogram', 'How long handlers took.', this.#run),
      family('pgq_job_wait_seconds', 'histogram', 'How long due jobs waited to be claimed.', this.#wait),
      family(
        'pgq_jobs_rescued_total',
        'counter',
        'Jobs taken back from lost workers by this process.',
        this.#rescued,
      ),
      family(
        'pgq_background_errors_total',
        'counter',
        'Errors in the background, which are tried again.',
        this.#errors,
      ),
      family(
        'pgq_listener_up',
        'gauge',
        'Whether notifications arrive: 1, or 0 while only polling finds jobs.',
        this.#listener,
      ),
      family(
        'pgq_worker_up',
        'gauge',
        'Whether the worker runs: 0 while it is stopped, or paused because the database does not answer.',
        up,
      ),
      family(
        'pgq_worker_stalled_seconds',
        'gauge',
        'For how long the claim loop has made no progress though the database answers.',
        stalled,
      ),
    ]
  }

  #began(job: EventJob): void {
    const { queue } = job
    this.queues.add(queue)
    this.#running.add({ queue })
    this.#wait.observe({ queue }, Math.max(0, job.startedAtMs - job.scheduledForMs) / 1_000)
  }
}
