import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle } from '../src/index.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'

const { pgq: enqueuer, sql, schema, databaseUrl } = await freshQueue()

/** A queue whose connections can be told from all others by their name. */
function named(name: string): { pgq: ReturnType<typeof createPgq>; backends: () => Promise<number> } {
  const url = new URL(databaseUrl)
  url.searchParams.set('application_name', name)
  const pgq = createPgq({ connectionString: url.href, schema })
  cleanUpAfterwards(() => pgq.close())
  const backends = async (): Promise<number> => {
    const rows = await sql('SELECT FROM pg_stat_activity WHERE application_name = $1', [name])
    return rows.length
  }
  return { pgq, backends }
}

test('a worker with five hundred handlers at work uses four connections', async () => {
  const { pgq, backends } = named('five hundred')
  const queue = defineQueue('five.hundred')
  const goOn = latch()
  let running = 0
  const completed = collect(pgq, 'job.completed')
  const handler = handle(
    queue,
    async (_, ctx) => {
      running++
      await ctx.progress(1)
      return goOn.opened
    },
    { concurrency: 500 },
  )
  await enqueuer.enqueueMany(queue, Array(1_500).fill(null))
  await work(pgq, [handler])
  await until('all slots are taken', () => running === 500)
  const counts = new Set<number>()
  for (let i = 0; i < 20; i++) {
    counts.add(await backends())
    await sleep(20)
    if (i === 10) goOn.open()
  }
  await until('all are done', () => completed.length === 1_500)
  counts.add(await backends())
  expect([...counts]).toEqual([4])
})

test('a worker that does not listen uses three, and one that has stopped none', async () => {
  const { pgq, backends } = named('quiet')
  const completed = collect(pgq, 'job.completed')
  const worker = await work(pgq, [handle(defineQueue('quiet'), () => {})], { listen: false })
  await enqueuer.enqueueMany(defineQueue('quiet'), Array(200).fill(null))
  await until('all are done', () => completed.length === 200)
  expect(await backends()).toBeLessThanOrEqual(3)
  await worker.stop()
  await until('they are closed', async () => (await backends()) === 0, 3_000)
})

test('handlers that hold all of the pool of the application starve neither settles nor heartbeats', async () => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
  const pgq = createPgq({ pool, schema })
  cleanUpAfterwards(() => pool.end())
  cleanUpAfterwards(() => pgq.close())
  const held = await pool.connect()
  cleanUpAfterwards(async () => held.release())
  const queue = defineQueue('starved')
  const waiting: Promise<unknown>[] = []
  const completed = collect(pgq, 'job.completed')
  const handler = handle(queue, () => {
    // For the whole of the test nobody gets a client out of the pool of the application.
    waiting.push(pool.connect().then((client) => client.release()))
  })
  const worker = await work(pgq, [handler], { lease: '1s' })
  await enqueuer.enqueueMany(queue, Array(50).fill(null))
  await until('all are settled', () => completed.length === 50)
  const beat = async (): Promise<number> => {
    const [row] = await sql(
      `SELECT date_part('epoch', heartbeat_at) AS at FROM ${schema}.workers WHERE id = $1`,
      [worker.id],
    )
    return row.at
  }
  const first = await beat()
  await until('the heart beats', async () => (await beat()) > first, 3_000)
  expect(waiting.length).toBe(50)
})

test('a worker of an application with a pool of its own takes over how that connects', async () => {
  const url = new URL(databaseUrl)
  const pool = new pg.Pool({
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password) || 'not asked for',
    database: url.pathname.slice(1),
    application_name: 'like the application',
    max: 1,
  })
  const pgq = createPgq({ pool, schema })
  cleanUpAfterwards(() => pool.end())
  cleanUpAfterwards(() => pgq.close())
  await work(pgq, [handle(defineQueue('like.the.application'), () => {})])
  const worker = `SELECT FROM pg_stat_activity WHERE application_name = 'like the application'`
  await until('its connections are there', async () => (await sql(worker)).length === 4)
  expect(pool.totalCount).toBe(0)
})
