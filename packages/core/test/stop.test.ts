import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle, isPgqError } from '../src/index.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { startProxy } from './support/proxy.ts'
import { collect } from './support/collect.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()

const processing = (queue: string): Promise<unknown[]> =>
  sql(`SELECT id FROM ${schema}.jobs_processing WHERE queue_name = $1 AND status = 'processing'`, [queue])

const registered = async (id: string | undefined): Promise<boolean> =>
  (await sql(`SELECT FROM ${schema}.workers WHERE id = $1`, [id])).length > 0

test('stop waits for running handlers, and gives back what has not begun without costing an attempt', async () => {
  const queue = defineQueue('unstarted')
  const goOn = latch()
  let block = false
  let running = 0
  const released = collect(pgq, 'job.released')
  const handler = handle(
    queue,
    async () => {
      running++
      if (block) await goOn.opened
      running--
    },
    { concurrency: 2 },
  )
  // Fast jobs first, so that many are held; then they get stuck.
  await pgq.enqueueMany(queue, Array(300).fill('fast'))
  const worker = await work(pgq, [handler], { shutdownTimeout: '20s' })
  await until(
    'it knows how fast they go',
    async () => (await pgq.counts({ queue, status: 'completed' }))[0]?.jobs === 300,
  )
  block = true
  await pgq.enqueueMany(queue, Array(100).fill('slow'))
  await until('two run', () => running === 2)
  const { id } = worker
  let stopped = false
  const stopping = worker.stop().then(() => (stopped = true))
  await until('the others are given back', async () => (await processing('unstarted')).length === 2)
  await sleep(200)
  expect(stopped).toBe(false)
  goOn.open()
  await stopping
  expect(await processing('unstarted')).toEqual([])
  const left = await sql(
    `SELECT status, attempts, count(*)::int AS n FROM ${schema}.jobs_waiting WHERE queue_name = 'unstarted' GROUP BY 1, 2`,
  )
  expect(left).toEqual([{ status: 'pending', attempts: 0, n: 98 }])
  expect(released.length).toBeGreaterThan(0)
  expect(await registered(id)).toBe(false)
})

test('after the shutdown timeout handlers are told to end, and what does not succeed by then is given back', async () => {
  const queue = defineQueue('told.to.end')
  const reasons: unknown[] = []
  const handler = handle(queue, async ({ payload }, { signal }) => {
    await sleep(30_000, undefined, { signal }).catch(() => reasons.push(signal.reason))
    if (payload === 'obeys') throw new Error('aborted')
  })
  const worker = await work(pgq, [handler], { shutdownTimeout: '100ms' })
  const obeys = await pgq.enqueue(queue, 'obeys')
  const succeeds = await pgq.enqueue(queue, 'succeeds all the same')
  await until('both run', async () => (await processing(queue.name)).length === 2)
  const startedAt = performance.now()
  await worker.stop()
  expect(performance.now() - startedAt).toBeLessThan(2_000)
  expect(reasons.map((reason) => isPgqError(reason, 'WORKER_STOPPING'))).toEqual([true, true])
  expect(await pgq.get(obeys.id)).toMatchObject({
    status: 'pending',
    attempts: 0,
    errors: [],
    lockedBy: null,
  })
  expect(await pgq.get(succeeds.id)).toMatchObject({ status: 'completed', attempts: 1 })
})

test('a handler that ignores everything does not hold up the stop, and what it does later changes nothing', async () => {
  const queue = defineQueue('ignores')
  const goOn = latch()
  const ended = latch()
  const handler = handle(queue, async () => {
    await goOn.opened
    ended.open()
    return 'too late'
  })
  const worker = await work(pgq, [handler], { shutdownTimeout: 0 })
  const { id } = await pgq.enqueue(queue, null)
  await until('it runs', async () => (await processing(queue.name)).length === 1)
  const startedAt = performance.now()
  await worker.stop()
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  const before = await pgq.get(id)
  expect(before).toMatchObject({ status: 'pending', attempts: 0, lockedBy: null })
  goOn.open()
  await ended.opened
  await sleep(50)
  expect(await pgq.get(id)).toEqual(before)
})

test('stop may be called before start, twice, and while the worker starts; a stopped worker starts again', async () => {
  const queue = defineQueue('again')
  const completed = collect(pgq, 'job.completed')
  const worker = pgq.createWorker([handle(queue, () => {})])
  cleanUpAfterwards(() => worker.stop())
  await worker.stop()
  const starting = worker.start()
  const stopping = [worker.stop(), worker.stop()]
  await Promise.all([starting, ...stopping])
  expect(worker.id).toBeUndefined()
  await Promise.all([worker.start(), worker.start()])
  const { id } = worker
  await worker.stop()
  expect(await registered(id)).toBe(false)
  await worker.start()
  expect(worker.id).not.toBe(id)
  await pgq.enqueue(queue, null)
  await until('it works', () => completed.length === 1)
  expect(await sql(`SELECT id FROM ${schema}.workers WHERE queues = '{again}'`)).toEqual([{ id: worker.id }])
})

test('of start and stop called in a row the last one counts', async () => {
  const worker = pgq.createWorker([handle(defineQueue('last'), () => {})])
  cleanUpAfterwards(() => worker.stop())
  await worker.start()
  const calls = [worker.stop(), worker.start(), worker.stop()]
  await Promise.all(calls)
  await sleep(100)
  expect(worker.id).toBeUndefined()
  expect(await sql(`SELECT id FROM ${schema}.workers WHERE queues = '{last}'`)).toEqual([])
})

test('a worker that cannot start leaves nothing behind, and starts later', async () => {
  const proxy = await startProxy(databaseUrl)
  const through = createPgq({ connectionString: proxy.url, schema: 'not_there_yet' })
  cleanUpAfterwards(() => through.close())
  const worker = through.createWorker([handle(defineQueue('later'), () => {})])
  await expect(worker.start()).rejects.toMatchObject({ code: 'SCHEMA_MISSING' })
  await until('its connections are closed', () => proxy.size === 0)
  expect(worker.id).toBeUndefined()
  await worker.stop()
})

test('pgq.close stops its workers', async () => {
  const other = createPgq({ connectionString: databaseUrl, schema })
  const worker = other.createWorker([handle(defineQueue('closed'), () => {})])
  await worker.start()
  const { id } = worker
  expect(await registered(id)).toBe(true)
  await other.close()
  expect(worker.id).toBeUndefined()
  expect(await registered(id)).toBe(false)
})
