import { type AnyQueue, type Duration, durationMs, type Pgq, PgqError, type Worker } from '@pgq/core'
import { assertQueue, knownOptions, show, textOption } from '@pgq/core/options'
import { DatabaseMetrics } from './database-metrics.ts'
import { CONTENT_TYPE, expose } from './exposition.ts'
import { ProcessMetrics } from './process-metrics.ts'

/** Options of `prometheusMetrics`. */
export interface PrometheusOptions {
  /** Workers of this process. @default none */
  readonly workers?: readonly Worker[]
  /** Queues that have a series from the start; others get one when this process sees them first. @default none */
  readonly queues?: readonly (AnyQueue | string)[]
  /** For how long an answer of the database counts, 0 to 10 m. @default 5s */
  readonly cacheFor?: Duration
  /** How long the database may take to answer, 1 ms to 1 m; after it the metrics come without its part. @default 3s */
  readonly timeout?: Duration
}

/**
 * Counts what a queue does in this process, from now on.
 * @throws PgqError INVALID_OPTION, INVALID_QUEUE
 * @example
 * const metrics = prometheusMetrics(pgq, { workers: [worker] })
 * app.get('/metrics', async (_req, res) => res.type(metrics.contentType).send(await metrics.text()))
 */
export function prometheusMetrics(pgq: Pgq, options: PrometheusOptions = {}): PrometheusMetrics {
  return new PrometheusMetrics(pgq, options)
}

/** The metrics of one queue in this process, and what its database says. Make them with `prometheusMetrics`. */
export class PrometheusMetrics {
  /** The content type to answer with. */
  readonly contentType: string = CONTENT_TYPE
  readonly #process: ProcessMetrics
  readonly #database: DatabaseMetrics
  readonly #end: () => void

  constructor(pgq: Pgq, options: PrometheusOptions) {
    knownOptions('prometheusMetrics', options, ['workers', 'queues', 'cacheFor', 'timeout'])
    const { workers = [], queues = [], cacheFor = '5s', timeout = '3s' } = options
    if (!Array.isArray(workers) || workers.some((worker) => typeof worker?.status !== 'string')) {
      const message = `workers is ${show(workers)}: it must be a list of what createWorker returned`
      throw new PgqError('INVALID_OPTION', message)
    }
    this.#process = new ProcessMetrics(workers)
    for (const queue of queues) this.#process.queues.add(nameOf(queue))
    this.#database = new DatabaseMetrics(pgq, {
      queues: this.#process.queues,
      cacheMs: durationMs('cacheFor', cacheFor, { max: 600_000 }),
      timeoutMs: durationMs('timeout', timeout, { min: 1, max: 60_000 }),
    })
    this.#end = this.#process.watch(pgq)
  }

  /** All metrics in the text format of Prometheus. Never rejects: `pgq_database_up` says whether the database answered. */
  async text(): Promise<string> {
    return expose([...(await this.#database.families()), ...this.#process.families])
  }

  /** Counts no more. */
  stop(): void {
    this.#end()
  }
}

function nameOf(queue: AnyQueue | string): string {
  if (typeof queue === 'string') return textOption('a queue of queues', queue, 200)
  assertQueue(queue)
  return queue.name
}
