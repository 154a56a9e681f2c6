import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { defineQueue, handle, type } from '@pgq/core'
import { cleanUpAfterwards, until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { instrument } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

const mail = defineQueue('mail', { payload: type<{ n: number }>(), maxAttempts: 1 })

test('enqueues, attempts and the backlog are measured', async () => {
  const { pgq } = await freshQueue()
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  cleanUpAfterwards(() => provider.shutdown())
  cleanUpAfterwards(async () => instrumented())
  const instrumented = instrument(pgq, { meterProvider: provider, traces: false })
  const collect = async (): Promise<Map<string, MetricData>> => {
    exporter.reset()
    await provider.forceFlush()
    const all = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    return new Map(all.map((metric) => [metric.descriptor.name, metric]))
  }
  await pgq.enqueueMany(mail, [{ n: 1 }, { n: 2 }, { n: 3 }])
  await expect(pgq.enqueue(mail, { n: 4 }, { priority: 1e9 })).rejects.toThrow('priority')
  await until('they are due', async () => ((await pgq.backlog())[0]?.oldestDueMs ?? 0) > 200)

  const before = await collect()
  const age = before.get('pgq.queue.oldest_due.age')
  expect(age?.descriptor.unit).toBe('s')
  expect(age?.dataPoints[0]?.attributes).toEqual({
    'messaging.system.name': 'pgq',
    'messaging.destination.name': 'mail',
  })
  expect(age?.dataPoints[0]?.value).toBeGreaterThan(0.2)
  const ofSend = { 'messaging.operation.name': 'send', 'messaging.operation.type': 'send' }
  expect(before.get('messaging.client.sent.messages')?.dataPoints).toMatchObject([
    { value: 3, attributes: ofSend },
  ])
  const operations = before.get('messaging.client.operation.duration')
  expect(operations?.dataPointType).toBe(DataPointType.HISTOGRAM)
  expect(operations?.dataPoints.map(({ attributes }) => attributes['error.type'])).toEqual([
    undefined,
    'INVALID_OPTION',
  ])

  const worker = await work(pgq, [
    handle(mail, ({ payload }) => {
      if (payload.n === 1) throw new RangeError('no')
    }),
  ])
  await until(
    'they have ended',
    async () => (await pgq.counts({ status: ['completed', 'dead'] })).length === 2,
  )
  await worker.stop()
  const after = await collect()
  expect(after.get('messaging.client.consumed.messages')?.dataPoints).toMatchObject([{ value: 3 }])
  const runs = after.get('messaging.process.duration')?.dataPoints ?? []
  const told = runs.map(({ attributes, value }) => [
    attributes['pgq.job.ending'],
    attributes['error.type'],
    (value as { count: number }).count,
  ])
  expect(told.toSorted(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
    ['completed', undefined, 2],
    ['dead', 'RangeError', 1],
  ])
  const [wait] = after.get('pgq.job.wait.duration')?.dataPoints ?? []
  expect(wait?.value).toMatchObject({ count: 3 })
  const { min } = (wait?.value ?? { min: 0 }) as { readonly min: number }
  expect(min).toBeGreaterThan(0.2)
  // Caught up is 0, not silence.
  expect(after.get('pgq.queue.oldest_due.age')?.dataPoints).toMatchObject([{ value: 0 }])
})
