import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { z } from 'zod'
import { defineQueue } from '../src/index.ts'
import { cleanUpAfterwards } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'

const anything = defineQueue('anything')
const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })

/** Refuses one payload in the database, as a constraint that somebody added would: no check of ours sees it coming. */
const poison = (schema: string): string =>
  `ALTER TABLE ${schema}.jobs_waiting ADD CONSTRAINT no_poison CHECK (payload <> '"poison"')`

/** A pool that counts the statements it is given. */
function countingPool(): { pool: pg.Pool; statements: string[] } {
  const statements: string[] = []
  const pool = new pg.Pool({ connectionString: inject('databaseUrl') })
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>
  pool.query = ((...args: [{ text: string }]) => {
    statements.push(args[0].text)
    return query(...args)
  }) as never
  cleanUpAfterwards(() => pool.end())
  return { pool, statements }
}

test('calls that are made at the same time share a statement', async () => {
  const { pool, statements } = countingPool()
  const { pgq } = await freshQueue({ pool })
  statements.length = 0
  const results = await Promise.all(
    Array.from({ length: 500 }, (_, n) => pgq.enqueue(defineQueue(`queue ${n % 7}`), n)),
  )
  expect(statements).toHaveLength(1)
  expect(new Set(results.map(({ id }) => id)).size).toBe(500)
  for (const n of [0, 7, 499]) expect(await pgq.get(results[n]?.id ?? '')).toMatchObject({ payload: n })
})

test('calls that arrive while a statement is under way share the next one', async () => {
  const { pool, statements } = countingPool()
  const { pgq } = await freshQueue({ pool })
  statements.length = 0
  const first = pgq.enqueue(anything, 'first')
  await expect.poll(() => statements.length).toBe(1)
  await Promise.all([first, ...Array.from({ length: 50 }, (_, n) => pgq.enqueue(anything, n))])
  expect(statements.length).toBe(2)
})

test('one bad call among many fails alone', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(poison(schema))
  const outcomes = await Promise.allSettled(
    [1, 'poison', Number.NaN, 2, 'poison', 3].map((payload) => pgq.enqueue(anything, payload)),
  )
  expect(
    outcomes.map((one) => (one.status === 'rejected' ? (one.reason as { code: string }).code : 'written')),
  ).toEqual(['written', 'DATABASE_REJECTED', 'INVALID_PAYLOAD', 'written', 'DATABASE_REJECTED', 'written'])
  const stored = (await pgq.list()).jobs.map((job) => job.payload)
  expect(new Set(stored)).toEqual(new Set([1, 2, 3]))
})

test('a hundred thousand jobs go in with one call, in order and in bounded memory', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const total = 100_000
  const before = process.memoryUsage().heapUsed
  let peak = 0
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().heapUsed)), 20)
  function* payloads() {
    for (let n = 0; n < total; n++)
      yield { n, text: 'about a hundred bytes of payload, which is what most jobs have in them' }
  }
  const results = await pgq.enqueueMany(anything, payloads())
  clearInterval(watch)
  expect(results).toHaveLength(total)
  expect((peak - before) / 2 ** 20, 'growth of the heap in MiB').toBeLessThan(350)
  const [stored] = await sql(
    `SELECT count(*)::int AS jobs,
            count(*) FILTER (WHERE given.id = (job.payload->>'n')::int + 1)::int AS in_place
     FROM ${schema}.jobs AS job JOIN unnest($1::uuid[]) WITH ORDINALITY AS given (job_id, id) ON given.job_id = job.id`,
    [results.map(({ id }) => id)],
  )
  expect(stored).toEqual({ jobs: total, in_place: total })
})

test('the ids of one call are in the order of its payloads', async () => {
  const { pgq } = await freshQueue()
  const ids = (await pgq.enqueueMany(anything, Array.from({ length: 7_000 }).fill(1))).map(({ id }) => id)
  expect(ids.toSorted()).toEqual(ids)
})

test('one bad payload is told by its place, and nothing is written', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('orders', { payload: z.object({ items: z.array(z.number()) }) })
  const good = { items: [1] }
  const places: [unknown, string][] = [
    [{ items: [1, 'x'] }, '$[2].items[1]'],
    [{ items: [Number.NaN] }, '$[2].items[0]'],
    ['x', '$[2]'],
  ]
  for (const [bad, path] of places) {
    const error: unknown = await pgq
      .enqueueMany(queue, [good, good, bad as never])
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'INVALID_PAYLOAD',
      message: expect.stringMatching(/^payload 2: /),
      issues: [{ path }],
    })
  }
  expect(await pgq.counts()).toEqual([])
})

test('the same with an asynchronous schema, and in a transaction, which lives on', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('slowly', { payload: z.number().refine((n) => Promise.resolve(n > 0)) })
  await expect(pgq.enqueueMany(queue, [1, 2, -3, -4])).rejects.toThrow(/^payload 2: /)
  await pgq.transaction(async (tx) => {
    await pgq.enqueueMany(queue, [1], { tx })
    await expect(pgq.enqueueMany(queue, [1, -1], { tx })).rejects.toThrow(/^payload 1: /)
    await expect(pgq.enqueueMany(anything, [1, 2n], { tx })).rejects.toThrow(coded('INVALID_PAYLOAD'))
  })
  expect(await pgq.counts()).toEqual([{ queue: 'slowly', status: 'pending', jobs: 1 }])
})

test('what the database refuses in a late statement undoes the earlier ones', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(poison(schema))
  const payloads: unknown[] = Array.from({ length: 12_000 }, (_, n) => n)
  payloads[11_999] = 'poison'
  await expect(pgq.enqueueMany(anything, payloads)).rejects.toThrow(coded('DATABASE_REJECTED'))
  expect(await pgq.counts()).toEqual([])
  await expect(pgq.transaction((tx) => pgq.enqueueMany(anything, payloads, { tx }))).rejects.toThrow(
    coded('DATABASE_REJECTED'),
  )
  expect(await pgq.counts()).toEqual([])
})

test('the options go for every job, and no payloads make no statement', async () => {
  const { pool, statements } = countingPool()
  const { pgq } = await freshQueue({ pool })
  await pgq.enqueueMany(anything, new Set(['a', 'b']), {
    priority: 4,
    delay: '1h',
    metadata: { by: 'import' },
  })
  for (const job of (await pgq.list()).jobs)
    expect(job).toMatchObject({ priority: 4, metadata: { by: 'import' } })
  statements.length = 0
  expect(await pgq.enqueueMany(anything, [])).toEqual([])
  expect(statements).toEqual([])
})

test.each([
  ['text', 'abc'],
  ['an object', { length: 1 }],
  ['nothing', undefined],
  ['an asynchronous generator', (async function* () {})()],
])('%s is not a list of payloads', async (_what, payloads) => {
  const { pgq } = await freshQueue()
  await expect(pgq.enqueueMany(anything, payloads as never)).rejects.toThrow(coded('INVALID_OPTION'))
})

test('one key cannot be the key of many', async () => {
  const { pgq } = await freshQueue()
  await expect(pgq.enqueueMany(anything, [1, 2], { uniqueKey: 'k' })).rejects.toThrow(coded('INVALID_OPTION'))
})

test('big payloads go out in statements of bounded size', async () => {
  const { pool, statements } = countingPool()
  const { pgq } = await freshQueue({ pool })
  statements.length = 0
  await Promise.all(Array.from({ length: 12 }, () => pgq.enqueue(anything, 'x'.repeat(1_000_000))))
  expect(statements.length).toBe(3)
  expect(await pgq.counts()).toEqual([{ queue: 'anything', status: 'pending', jobs: 12 }])
})

/** Runs a program that reports what nobody handles. */
async function runFixture(fixture: URL): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [fileURLToPath(fixture)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data) => (output += String(data)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

test('a generator that throws half-way leaves no rejection behind that nobody handles', async () => {
  expect(await runFixture(new URL('fixtures/throwing-generator.mjs', import.meta.url))).toEqual({
    code: 0,
    output: 'the generator threw\n',
  })
})

test('an error of a call that nobody awaits is heard', async () => {
  expect(await runFixture(new URL('fixtures/unawaited-enqueue.mjs', import.meta.url))).toEqual({
    code: 1,
    output: 'INVALID_PAYLOAD\n',
  })
})
