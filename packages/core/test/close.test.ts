import pg from 'pg'
import { expect, inject, test, vi } from 'vitest'
import { createPgq, defineQueue, handle, type Pgq } from '../src/index.ts'
import { cleanUpAfterwards } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { isPooled } from './support/pooled.ts'

const queue = defineQueue('mail')
const id = '01890000-0000-7000-8000-000000000000'

const calls = (pgq: Pgq): [string, () => Promise<unknown>][] => [
  ['enqueue', () => pgq.enqueue(queue, 1)],
  ['enqueueMany', () => pgq.enqueueMany(queue, [1])],
  ['transaction', () => pgq.transaction(() => Promise.resolve(1))],
  ['get', () => pgq.get(id)],
  ['list', () => pgq.list()],
  ['counts', () => pgq.counts()],
  ['cancel', () => pgq.cancel(id)],
  ['retry', () => pgq.retry(id)],
  ['redrive', () => pgq.redrive({})],
  ['delete', () => pgq.delete(id)],
  ['migrate', () => pgq.migrate()],
  ['check', () => pgq.check()],
  ['worker.start', () => pgq.createWorker([handle(queue, () => {})]).start()],
]

test('close may be called again, and before anything was connected', async () => {
  const { pgq } = await freshQueue()
  const closing = pgq.close()
  expect(pgq.close()).toBe(closing)
  await closing
  await createPgq({ connectionString: inject('databaseUrl') }).close()
})

test('after close every call is refused', async () => {
  const { pgq } = await freshQueue()
  await pgq.close()
  for (const [name, call] of calls(pgq))
    expect(await call().catch((error: unknown) => error), name).toMatchObject({ code: 'CLOSED' })
})

test('after close every call is refused on a pool of the application as well, and the pool stays open', async () => {
  const pool = new pg.Pool({ connectionString: inject('databaseUrl') })
  cleanUpAfterwards(() => pool.end())
  const { pgq } = await freshQueue({ pool })
  await pgq.close()
  for (const [name, call] of calls(pgq))
    expect(await call().catch((error: unknown) => error), name).toMatchObject({ code: 'CLOSED' })
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
})

test('enqueues that are under way are finished', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const written = Array.from({ length: 100 }, (_, n) => pgq.enqueue(queue, n))
  await pgq.close()
  await Promise.all(written)
  expect(await sql(`SELECT count(*)::int AS jobs FROM ${schema}.jobs`)).toEqual([{ jobs: 100 }])
})

test('an enqueue whose schema is asynchronous is finished too', async () => {
  const { pgq } = await freshQueue()
  const slowly = defineQueue('slowly', {
    payload: {
      '~standard': { version: 1, vendor: 'test', validate: (value) => Promise.resolve({ value }) },
    },
  })
  const written = pgq.enqueue(slowly, 1)
  await pgq.close()
  await expect(written).resolves.toMatchObject({ deduplicated: false })
})

test('calls that wait for a connection when close comes get an answer, whatever it is', async () => {
  const { pgq } = await freshQueue()
  let answers = 0
  const answer = (): number => answers++
  const many = Array.from({ length: 20 }, (_, n) => pgq.enqueueMany(queue, [n]))
  const reads = Array.from({ length: 20 }, () => pgq.get(id))
  for (const call of [...many, ...reads]) call.then(answer, answer)
  const closing = pgq.close()
  await vi.waitFor(() => expect(answers).toBe(40), { timeout: 5_000 })
  await closing
})

test.skipIf(isPooled)('no connection is left open', async () => {
  const name = `closing ${Math.random()}`
  const url = new URL(inject('databaseUrl'))
  url.searchParams.set('application_name', name)
  const { pgq, sql } = await freshQueue({ connectionString: url.href })
  await pgq.createWorker([handle(queue, () => {})]).start()
  await Promise.all(Array.from({ length: 30 }, () => pgq.get(id)))
  await pgq.close()
  await expect.poll(() => sql('SELECT FROM pg_stat_activity WHERE application_name = $1', [name])).toEqual([])
})

test('a pool of the application keeps no trace of the queues that were closed', async () => {
  const { pool, schema } = await freshQueue()
  const before = pool.listenerCount('connect')
  for (let i = 0; i < 20; i++) {
    const other = createPgq({ pool, schema })
    await other.check()
    await other.close()
  }
  expect(pool.listenerCount('connect')).toBe(before)
})
