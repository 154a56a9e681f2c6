import { defineQueue, fixed, handle, type Pgq, SnoozeJob, type } from '@pgq/core'
import { until, work } from '@pgq/test-support'
import { type PrometheusMetrics, prometheusMetrics } from '../../src/index.ts'
import { freshQueue } from './fresh-queue.ts'

export const receipts = defineQueue('payment.receipt', {
  payload: type<{ end: 'completed' | 'failed' | 'dead' | 'snoozed' }>(),
  maxAttempts: 2,
  backoff: fixed('1h'),
})

/** A process in which jobs were enqueued and have ended in several ways. */
export async function livedProcess(): Promise<{ pgq: Pgq; metrics: PrometheusMetrics }> {
  const { pgq } = await freshQueue()
  const handler = handle(receipts, ({ payload }) => {
    if (payload.end === 'snoozed') throw new SnoozeJob('1h')
    if (payload.end !== 'completed') throw new Error(payload.end)
  })
  const worker = pgq.createWorker([handler])
  const metrics = prometheusMetrics(pgq, { workers: [worker], cacheFor: 0 })
  await worker.start()
  await pgq.enqueueMany(receipts, [
    { end: 'completed' },
    { end: 'completed' },
    { end: 'failed' },
    { end: 'snoozed' },
  ])
  await pgq.enqueue(receipts, { end: 'dead' }, { maxAttempts: 1 })
  await until('all have ended', async () => {
    const text = await metrics.text()
    return ['completed"} 2', 'failed"} 1', 'snoozed"} 1', 'dead"} 1'].every((part) => text.includes(part))
  })
  await until('notifications arrive', async () => (await metrics.text()).includes('pgq_listener_up 1'))
  return { pgq, metrics }
}

export { freshQueue, work }
