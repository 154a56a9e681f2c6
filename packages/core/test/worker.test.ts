import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineQueue, handle, type as typeOnly } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { latch, until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq, sql, schema } = await freshQueue()

const countOf = async (queue: string, status: string): Promise<number> => {
  const [row] = await sql(
    `SELECT count(*)::int AS n FROM ${schema}.jobs WHERE queue_name = $1 AND status = $2`,
    [queue, status],
  )
  return row.n
}

test('one worker runs the jobs of several queues, each with its own handler and every job once', async () => {
  const queues = ['many.a', 'many.b', 'many.c'].map((name) =>
    defineQueue(name, { payload: typeOnly<number>() }),
  )
  const seen = new Map<string, number[]>(queues.map((queue) => [queue.name, []]))
  const numbers = Array.from({ length: 60 }, (_, i) => i)
  for (const queue of queues) await pgq.enqueueMany(queue, numbers)
  await work(
    pgq,
    queues.map((queue) => handle(queue, (job) => void seen.get(queue.name)?.push(job.payload))),
  )
  for (const queue of queues) {
    await until(`${queue.name} is done`, async () => (await countOf(queue.name, 'completed')) === 60)
    expect(seen.get(queue.name)?.toSorted((a, b) => a - b)).toEqual(numbers)
  }
})

test('the concurrency of each queue is reached and never exceeded', async () => {
  const running = { 'limit.four': 0, 'limit.seven': 0 }
  const most = { 'limit.four': 0, 'limit.seven': 0 }
  const full = latch()
  const handlers = (['limit.four', 'limit.seven'] as const).map((name) =>
    handle(
      defineQueue(name),
      async () => {
        most[name] = Math.max(most[name], ++running[name])
        await full.opened
        await sleep(2)
        running[name]--
      },
      { concurrency: name === 'limit.four' ? 4 : 7 },
    ),
  )
  for (const { queue } of handlers) await pgq.enqueueMany(queue, Array(50).fill(null))
  await work(pgq, handlers)
  await until('both are full', () => running['limit.four'] === 4 && running['limit.seven'] === 7)
  full.open()
  for (const { queue } of handlers) {
    await until(`${queue.name} is done`, async () => (await countOf(queue.name, 'completed')) === 50)
  }
  expect(most).toEqual({ 'limit.four': 4, 'limit.seven': 7 })
})

test('the concurrency of the worker is reached and never exceeded, whatever its queues allow', async () => {
  let running = 0
  let most = 0
  const full = latch()
  const handlers = ['total.a', 'total.b'].map((name) =>
    handle(defineQueue(name), async () => {
      most = Math.max(most, ++running)
      await full.opened
      await sleep(2)
      running--
    }),
  )
  for (const { queue } of handlers) await pgq.enqueueMany(queue, Array(40).fill(null))
  await work(pgq, handlers, { concurrency: 6 })
  await until('the worker is full', () => running === 6)
  full.open()
  for (const { queue } of handlers) {
    await until(`${queue.name} is done`, async () => (await countOf(queue.name, 'completed')) === 40)
  }
  expect(most).toBe(6)
})

test('a queue with a long backlog does not starve another one of a worker that runs one job at a time', async () => {
  const order: string[] = []
  const [backlog, other] = ['starve.backlog', 'starve.other'].map((name) =>
    handle(defineQueue(name), async () => {
      order.push(name)
      await sleep(3)
    }),
  )
  if (!backlog || !other) return
  await pgq.enqueueMany(backlog.queue, Array(300).fill(null))
  await pgq.enqueueMany(other.queue, Array(5).fill(null))
  await work(pgq, [backlog, other], { concurrency: 1 })
  await until('the other queue is done', async () => (await countOf(other.queue.name, 'completed')) === 5)
  expect(order.lastIndexOf(other.queue.name)).toBeLessThan(100)
})

test('slow jobs that this worker cannot start are left for another one', async () => {
  const queue = defineQueue('hoard')
  const startedBy: string[] = []
  const done = latch()
  const handlerOf = (name: string) =>
    handle(queue, () => {
      startedBy.push(name)
      return done.opened
    })
  const one = await work(pgq, [handlerOf('one')], { concurrency: 1 })
  await pgq.enqueueMany(queue, [1, 2])
  await until('the first has one', () => startedBy.length === 1)
  await work(pgq, [handlerOf('two')], { concurrency: 1 })
  await until('the second has the other', () => startedBy.length === 2, 800)
  expect(startedBy).toEqual(['one', 'two'])
  done.open()
  await until('both are done', async () => (await countOf('hoard', 'completed')) === 2)
  await one.stop()
})

test('an uncontended worker goes by priority, then by the order of enqueueing', async () => {
  const queue = defineQueue('order', { payload: typeOnly<string>() })
  const order: string[] = []
  for (const [i, priority] of [3, 0, -5, 3, 0, -5, 100, 0].entries()) {
    await pgq.enqueue(queue, `${priority}/${i}`, { priority })
  }
  await pgq.enqueueMany(queue, ['7/a', '7/b', '7/c'], { priority: 7 })
  await work(pgq, [handle(queue, (job) => void order.push(job.payload), { concurrency: 1 })])
  await until('all are done', () => order.length === 11)
  expect(order).toEqual(['-5/2', '-5/5', '0/1', '0/4', '0/7', '3/0', '3/3', '7/a', '7/b', '7/c', '100/6'])
})

test('a delayed job starts no earlier than it was told to, by the clock of the database, and soon after', async () => {
  const queue = defineQueue('delayed')
  await work(pgq, [handle(queue, () => {})])
  const { id } = await pgq.enqueue(queue, null, { delay: '700ms' })
  const [row] = await until('it is done', async () => {
    const rows = await sql(
      `SELECT date_part('epoch', started_at - scheduled_for) * 1000 AS late FROM ${schema}.jobs WHERE id = $1 AND status = 'completed'`,
      [id],
    )
    return rows.length > 0 && rows
  })
  expect(row.late).toBeGreaterThanOrEqual(0)
  expect(row.late).toBeLessThan(3_000)
})

test('a stored payload that the schema refuses makes the job dead at once, and its handler is not called', async () => {
  const queue = defineQueue('refused', { payload: z.object({ amount: z.number() }) })
  let calls = 0
  const dead = collect(pgq, 'job.dead')
  await work(pgq, [handle(queue, () => void calls++)])
  const [row] = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, payload) VALUES ('refused', '{"amount": "ten"}') RETURNING id`,
  )
  await until('it is dead', () => dead.some(({ job }) => job.id === row.id))
  const job = await pgq.get(row.id)
  expect(job).toMatchObject({
    status: 'dead',
    attempts: 1,
    errors: [{ attempt: 1, name: 'PAYLOAD_REJECTED' }],
  })
  expect(job?.error).toContain('$.amount')
  expect(calls).toBe(0)
})

test('a handler gets what the schema makes of the stored payload', async () => {
  const queue = defineQueue('coerced', { payload: z.object({ at: z.coerce.date() }) })
  const got: unknown[] = []
  await work(pgq, [handle(queue, (job) => void got.push(job.payload))])
  await pgq.enqueue(queue, { at: '2026-11-20T10:00:00.000Z' })
  await until('it ran', () => got.length === 1)
  expect(got).toEqual([{ at: new Date('2026-11-20T10:00:00.000Z') }])
})

test('jobs of a queue without a handler are left alone', async () => {
  const { id } = await pgq.enqueue(defineQueue('unknown.queue'), { n: 1 })
  const known = defineQueue('known.queue')
  const done = collect(pgq, 'job.completed')
  await work(pgq, [handle(known, () => {})])
  await pgq.enqueue(known, null)
  await until('the known one is done', () => done.length === 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0, fence: 0, payload: { n: 1 } })
})

test('results, progress and what the job knows of itself are stored and passed on', async () => {
  const queue = defineQueue('told', { payload: typeOnly<string>(), priority: 4, maxAttempts: 9 })
  const seen: unknown[] = []
  const done = collect(pgq, 'job.completed')
  const handler = handle(queue, async (job, ctx) => {
    seen.push(job)
    await ctx.progress({ percent: 50 })
    return { echoed: job.payload }
  })
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, 'hello', { metadata: { traceparent: '00-abc', tenant: 7 } })
  await until('it is done', () => done.length === 1)
  const metadata = { traceparent: '00-abc', tenant: 7 }
  expect(seen).toEqual([
    {
      id,
      queue: 'told',
      payload: 'hello',
      attempt: 1,
      maxAttempts: 9,
      fence: 1,
      group: null,
      priority: 4,
      metadata,
      createdAt: expect.any(Date),
      scheduledFor: expect.any(Date),
    },
  ])
  expect(await pgq.get(id)).toMatchObject({
    status: 'completed',
    result: { echoed: 'hello' },
    progress: { percent: 50 },
    metadata,
    attempts: 1,
    fence: 1,
    lockedBy: null,
    errors: [],
  })
  expect(done[0]?.job).toMatchObject({ id, queue: 'told', attempt: 1, fence: 1, metadata })
})

test('a worker says what it is doing', async () => {
  const queue = defineQueue('status')
  const gate = latch()
  const worker = pgq.createWorker([handle(queue, () => gate.opened)])
  expect(worker.status).toBe('stopped')
  const started = worker.start()
  // Sooner than anything can have come back from the database.
  await new Promise((resolve) => setImmediate(resolve))
  expect(worker.status).toBe('starting')
  await started
  expect(worker.status).toBe('running')
  await pgq.enqueue(queue, {})
  await until('the job runs', async () => (await countOf('status', 'processing')) > 0)
  const stopped = worker.stop()
  await until('it stops', () => worker.status === 'stopping')
  gate.open()
  await stopped
  expect(worker.status).toBe('stopped')
})
