import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { latch, until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq, sql, schema, pool } = await freshQueue()

test('twenty fast queues all drain, though together they want more than a worker holds', async () => {
  const queues = Array.from({ length: 20 }, (_, n) => defineQueue(`many.${n}`))
  for (const queue of queues) await pgq.enqueueMany(queue, Array(1_000).fill(null))
  const ran = new Map<string, number>()
  const handlers = queues.map((queue) =>
    handle(queue, () => void ran.set(queue.name, (ran.get(queue.name) ?? 0) + 1), { concurrency: 300 }),
  )
  await work(pgq, handlers)
  await until('all are done', () => [...ran.values()].reduce((sum, n) => sum + n, 0) === 20_000, 60_000)
  expect(new Set(ran.values())).toEqual(new Set([1_000]))
})

test('while a person has one running job locked, the outcomes of all others are written', async () => {
  const queue = defineQueue('locked')
  const started = latch()
  const goOn = latch()
  const completed = collect(pgq, 'job.completed')
  const handler = handle(queue, async ({ payload }) => {
    if (payload !== 'locked') return
    started.open()
    await goOn.opened
  })
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, 'locked')
  await started.opened
  const hand = await pool.connect()
  await hand.query('BEGIN')
  await hand.query(`SELECT FROM ${schema}.jobs WHERE id = $1 FOR UPDATE`, [id])
  goOn.open()
  await pgq.enqueueMany(queue, Array(50).fill('other'))
  await until('the others are completed', () => completed.length === 50)
  expect(await pgq.get(id)).toMatchObject({ status: 'processing' })
  await hand.query('COMMIT')
  hand.release()
  await until('the locked one is completed', () => completed.length === 51)
})

test('a transactional completion that meets somebody else’s change of the row is made all the same', async () => {
  const queue = defineQueue('changed')
  const started = latch()
  const goOn = latch()
  const lost = collect(pgq, 'job.lost')
  const completed = collect(pgq, 'job.completed')
  const handler = handle(
    queue,
    async (_job, ctx) => {
      await ctx.tx.query('SELECT 1')
      started.open()
      await goOn.opened
    },
    { transactional: true },
  )
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, null)
  await started.opened
  const hand = await pool.connect()
  await hand.query('BEGIN')
  await hand.query(`UPDATE ${schema}.jobs SET metadata = '{"seen": true}' WHERE id = $1`, [id])
  goOn.open()
  await sleep(100) // the settle passes the row over, some times
  await hand.query('COMMIT')
  hand.release()
  await until('it has ended', () => completed.length + lost.length === 1)
  expect(lost).toEqual([])
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1, metadata: { seen: true } })
})

test('suspects of a crash do not stop the other work of their worker', async () => {
  const slow = defineQueue('slow')
  const quick = defineQueue('quick')
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, crashes, attempts, status, fence)
     SELECT 'slow', 2, 1, 'failed', 4 FROM generate_series(1, 30)`,
  )
  let quickRuns = 0
  let slowRuns = 0
  const handlers = [
    handle(slow, async () => {
      await sleep(300)
      slowRuns++
    }),
    handle(quick, () => void quickRuns++),
  ]
  await pgq.enqueueMany(quick, Array(500).fill(null))
  await work(pgq, handlers, { pollInterval: 50 })
  await until('the quick ones are done', () => quickRuns === 500)
  expect(slowRuns).toBeLessThan(20)
})

test('a job whose attempt is stuck in this worker does not take a second slot of it', async () => {
  const queue = defineQueue('stuck', { timeout: 100, maxAttempts: 3 })
  const never = new Promise(() => {})
  const stuck = collect(pgq, 'job.stuck')
  const completed = collect(pgq, 'job.completed')
  const handler = handle(queue, ({ payload }) => (payload === 'stuck' ? never : undefined), {
    concurrency: 2,
  })
  await work(pgq, [handler], { shutdownTimeout: 0 })
  await pgq.enqueue(queue, 'stuck', { backoff: { type: 'fixed', delayMs: 0, jitter: 0 } })
  await until('it is stuck', () => stuck.length === 1, 20_000)
  await sleep(500) // it is due again, and claimed and given back
  await pgq.enqueue(queue, 'innocent')
  await until('the other slot works', () => completed.length === 1)
  expect(stuck).toHaveLength(1)
})
