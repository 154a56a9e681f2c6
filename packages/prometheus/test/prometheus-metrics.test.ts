import { once } from 'node:events'
import net from 'node:net'
import { createPgq, defineQueue, handle } from '@pgq/core'
import { startPostgres } from '@pgq/embedded-postgres'
import { cleanUpAfterwards, countingPool, latch, until } from '@pgq/test-support'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { prometheusMetrics, type PrometheusOptions } from '../src/index.ts'
import { freshQueue, livedProcess, work } from './support/lived-process.ts'
import { readExposition } from './support/read-exposition.ts'

const at = (text: string, name: string, labels: Record<string, string> = {}): number | undefined =>
  readExposition(text).samples.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value

test('counts what has happened, and how long it took', async () => {
  const { metrics } = await livedProcess()
  const text = await metrics.text()
  const queue = 'payment.receipt'
  expect(at(text, 'pgq_jobs_enqueued_total', { queue })).toBe(5)
  for (const [outcome, jobs] of [
    ['completed', 2],
    ['failed', 1],
    ['dead', 1],
    ['snoozed', 1],
  ] as const)
    expect(at(text, 'pgq_jobs_ended_total', { queue, outcome })).toBe(jobs)
  expect(at(text, 'pgq_job_run_seconds_count', { queue })).toBe(5)
  expect(at(text, 'pgq_job_wait_seconds_count', { queue })).toBe(5)
  expect(at(text, 'pgq_jobs_running', { queue })).toBe(0)
  expect(at(text, 'pgq_worker_up')).toBe(1)
  expect(at(text, 'pgq_worker_stalled_seconds')).toBeLessThan(10)
  expect(at(text, 'pgq_database_up')).toBe(1)
  expect(at(text, 'pgq_oldest_due_age_seconds', { queue })).toBe(0)
  expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/)
})

test('histograms are cumulative, and end with their count', async () => {
  const { metrics } = await livedProcess()
  const { samples, types } = readExposition(await metrics.text())
  for (const [name, kind] of types) {
    if (kind !== 'histogram') continue
    const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => (labels['le'] === '+Inf' ? Infinity : Number(labels['le'])))
    const counts = buckets.map(({ value }) => value)
    expect(bounds).toEqual(bounds.toSorted((a, b) => a - b))
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    expect([bounds.at(-1), counts.at(-1)]).toEqual([Infinity, 5])
    expect(samples.find((sample) => sample.name === `${name}_sum`)?.value).toBeGreaterThan(0)
  }
})

test('the age of the oldest due job grows while nobody works, and is 0 when all is done', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('slow')
  const metrics = prometheusMetrics(pgq, { cacheFor: 0 })
  const age = async (): Promise<number> =>
    at(await metrics.text(), 'pgq_oldest_due_age_seconds', { queue: 'slow' }) ?? -1
  expect(await age()).toBe(-1) // nobody has heard of it yet
  await pgq.enqueue(queue, {})
  await until('it is late', async () => (await age()) > 0.3)
  await work(pgq, [handle(queue, () => {})])
  await until('it is done', async () => (await age()) === 0)
})

test('handlers that run are counted while they do', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('held')
  const metrics = prometheusMetrics(pgq)
  const gate = latch()
  cleanUpAfterwards(async () => gate.open())
  await work(pgq, [handle(queue, () => gate.opened)])
  await pgq.enqueueMany(queue, [{}, {}])
  const running = async (): Promise<number | undefined> =>
    at(await metrics.text(), 'pgq_jobs_running', { queue: 'held' })
  await until('both run', async () => (await running()) === 2)
  gate.open()
  expect(await until('both have ended', async () => (await running()) === 0)).toBe(true)
})

test('hostile names of queues are written so that they can be read', async () => {
  const { pgq } = await freshQueue()
  const names = ['quo"te', 'back\\slash', 'two\nlines', 'ünï', '{a="b"} 1']
  const metrics = prometheusMetrics(pgq, { queues: names })
  const { samples } = readExposition(await metrics.text())
  const found = samples.filter(({ name }) => name === 'pgq_oldest_due_age_seconds')
  expect(found.map(({ labels }) => labels['queue'])).toEqual(names)
})

test('a database that goes away is told, and the rest of the metrics still comes', async () => {
  const postgres = await startPostgres()
  const pgq = createPgq({ connectionString: postgres.url })
  cleanUpAfterwards(async () => {
    await pgq.close()
    await postgres.stop()
  })
  await pgq.migrate()
  const metrics = prometheusMetrics(pgq, { cacheFor: 0 })
  await pgq.enqueue(defineQueue('q'), {})
  expect(at(await metrics.text(), 'pgq_database_up')).toBe(1)
  await postgres.kill()
  const text = await metrics.text()
  expect(at(text, 'pgq_database_up')).toBe(0)
  expect(at(text, 'pgq_oldest_due_age_seconds')).toBeUndefined() // no stale figure to scale on
  expect(at(text, 'pgq_jobs_enqueued_total', { queue: 'q' })).toBe(1)
})

test('however often it is scraped, the database is asked once in a while', async () => {
  const { schema } = await freshQueue()
  const { pool, asked } = countingPool(inject('databaseUrl'))
  const metrics = prometheusMetrics(createPgq({ pool, schema }), { cacheFor: '1m' })
  await metrics.text()
  const first = asked()
  expect(first).toBeGreaterThan(0)
  await Promise.all(Array.from({ length: 50 }, () => metrics.text()))
  expect(asked()).toBe(first)
})

test('a database that does not answer costs an answer in time and few connections, however often one scrapes', async () => {
  const sockets = new Set<net.Socket>()
  const silent = net.createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1')
  const pool = new pg.Pool({ host: '127.0.0.1', max: 20 })
  pool.on('error', () => {})
  cleanUpAfterwards(async () => {
    for (const socket of sockets) socket.destroy()
    silent.close()
    await pool.end()
  })
  await once(silent, 'listening')
  pool.options.port = (silent.address() as net.AddressInfo).port
  const metrics = prometheusMetrics(createPgq({ pool }), { cacheFor: 0, timeout: '20ms' })
  await until('it was asked again', async () => {
    await metrics.text()
    return sockets.size >= 4
  })
  for (let scrape = 0; scrape < 10; scrape++) expect(at(await metrics.text(), 'pgq_database_up')).toBe(0)
  expect(sockets.size).toBe(4)
})

test('after stop nothing is counted', async () => {
  const { pgq } = await freshQueue()
  const metrics = prometheusMetrics(pgq)
  metrics.stop()
  await pgq.enqueue(defineQueue('q'), {})
  expect(at(await metrics.text(), 'pgq_jobs_enqueued_total')).toBeUndefined()
})

test.for([
  [{ worker: [] }, /no option "worker"/],
  [{ workers: [{}] }, /^workers is/],
  [{ cacheFor: '1h' }, /^cacheFor is "1h"/],
  [{ timeout: 0 }, /^timeout is 0/],
  [{ queues: [7] }, /7/],
] as const)('options are checked: %j', async ([options, message]) => {
  const { pgq } = await freshQueue()
  expect(() => prometheusMetrics(pgq, options as unknown as PrometheusOptions)).toThrow(message)
})
