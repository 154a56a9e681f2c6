import { metrics, type Meter, type MeterProvider, type ObservableResult } from '@opentelemetry/api'
import type { Hooks, Pgq } from '@pgq/core'
import { ATTRIBUTES, errorType, METRICS, queueAttributes } from './names.ts'

/** The boundaries that the conventions name, and longer ones, for jobs run longer than requests; in seconds. */
const SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 900, 3600,
]

/** The instruments, made with a provider that is there: there is none yet when it is looked for too early. */
function instruments(meter: Meter) {
  const histogram = (name: string, description: string) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: SECONDS } })
  const counter = (name: string, description: string) =>
    meter.createCounter(name, { description, unit: '{message}' })
  return {
    operation: histogram(METRICS.operationDuration, 'How long enqueues take'),
    sent: counter(METRICS.sent, 'Jobs that were enqueued, or were to be'),
    consumed: counter(METRICS.consumed, 'Attempts that began'),
    process: histogram(METRICS.processDuration, 'How long attempts take'),
    wait: histogram(METRICS.waitDuration, 'How long due jobs wait for their attempt'),
  }
}

/** Counts and times everything that this process does. The first use fixes the provider. */
export function metricHooks(meterProvider: MeterProvider | undefined): Required<Hooks> {
  let made: ReturnType<typeof instruments> | undefined
  const use = (): ReturnType<typeof instruments> =>
    (made ??= instruments((meterProvider ?? metrics).getMeter('@pgq/otel')))
  return {
    enqueue: async ({ queue }, next) => {
      const startedMs = performance.now()
      const attributes = queueAttributes(queue, 'send')
      try {
        use().sent.add(await next(), attributes)
      } catch (error) {
        attributes[ATTRIBUTES.errorType] = errorType(error)
        throw error
      } finally {
        use().operation.record((performance.now() - startedMs) / 1_000, attributes)
      }
    },
    attempt: async (job, next) => {
      const startedMs = performance.now()
      const attributes = queueAttributes(job.queue, 'process')
      use().consumed.add(1, attributes)
      use().wait.record(Math.max(0, job.startedAtMs - job.scheduledForMs) / 1_000, attributes)
      const { ending, error } = await next()
      const seconds = (performance.now() - startedMs) / 1_000
      use().process.record(seconds, {
        ...attributes,
        [ATTRIBUTES.ending]: ending,
        ...(error !== undefined && { [ATTRIBUTES.errorType]: errorType(error) }),
      })
    },
  }
}

/** The age of the oldest due job of each queue, asked for at each collection. Returns the function that ends it. */
export function observeBacklog(pgq: Pgq, meterProvider: MeterProvider | undefined): () => void {
  const meter = (meterProvider ?? metrics).getMeter('@pgq/otel')
  const gauge = meter.createObservableGauge(METRICS.oldestDueAge, {
    description: 'For how long the oldest due job of a queue has been due',
    unit: 's',
  })
  const seen = new Set<string>()
  const observe = async (result: ObservableResult): Promise<void> => {
    const ages = new Map((await pgq.backlog()).map(({ queue, oldestDueMs }) => [queue, oldestDueMs]))
    for (const queue of ages.keys()) seen.add(queue)
    for (const queue of seen)
      result.observe((ages.get(queue) ?? 0) / 1_000, {
        [ATTRIBUTES.system]: 'pgq',
        [ATTRIBUTES.destination]: queue,
      })
  }
  gauge.addCallback(observe)
  return () => gauge.removeCallback(observe)
}
