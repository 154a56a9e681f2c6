import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle, type JobRecord } from '../src/index.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { startProxy } from './support/proxy.ts'
import { collect } from './support/collect.ts'

const queue = defineQueue('slow')
const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })
const last = (jobs: readonly JobRecord[]): string | undefined => jobs.at(-1)?.status

/** Collects what a watch shows. */
function follow(watch: AsyncIterable<JobRecord>): {
  readonly seen: JobRecord[]
  readonly over: Promise<unknown>
} {
  const seen: JobRecord[] = []
  const run = async (): Promise<void> => {
    for await (const job of watch) seen.push(job)
  }
  const over = run().then(
    () => 'over',
    (error: unknown) => error,
  )
  return { seen, over }
}

test('a watch shows the job at once, each change that is looked at, and ends with the job', async () => {
  const { pgq } = await freshQueue()
  const steps = [latch(), latch(), latch()]
  const { id } = await pgq.enqueue(queue, {})
  const { seen, over } = follow(pgq.watch(id, { interval: 20 }))
  await until('it is seen to wait', () => last(seen) === 'pending')
  const handler = handle(queue, async (_, ctx) => {
    await steps[0]?.opened
    await ctx.progress(1)
    await steps[1]?.opened
    await ctx.progress({ done: 2 })
    await steps[2]?.opened
    return 'done'
  })
  await work(pgq, [handler])
  await until('it is seen to run', () => last(seen) === 'processing')
  steps[0]?.open()
  await until('the first step is seen', () => seen.at(-1)?.progress === 1)
  steps[1]?.open()
  await until('the second step is seen', () => typeof seen.at(-1)?.progress === 'object')
  steps[2]?.open()
  expect(await over).toBe('over')
  expect(seen.at(-1)).toMatchObject({ id, status: 'completed', result: 'done' })
  expect(seen).toHaveLength(5)
})

test.each(['completed', 'dead', 'cancelled'])(
  'of a job that is %s already there is one sight',
  async (status) => {
    const { pgq, sql, schema } = await freshQueue()
    const { id } = await pgq.enqueue(queue, {})
    await sql(`UPDATE ${schema}.jobs SET status = $1`, [status])
    const { seen, over } = follow(pgq.watch(id))
    expect(await over).toBe('over')
    expect(seen.map((job) => job.status)).toEqual([status])
  },
)

test('a job that is not there shows nothing; one that is deleted ends its watch', async () => {
  const { pgq } = await freshQueue()
  const none = follow(pgq.watch('00000000-0000-7000-8000-000000000000'))
  expect(await none.over).toBe('over')
  expect(none.seen).toEqual([])
  const { id } = await pgq.enqueue(queue, {})
  const { seen, over } = follow(pgq.watch(id.toUpperCase(), { interval: 20 }))
  await until('it is seen', () => seen.length > 0)
  await pgq.delete(id)
  expect(await over).toBe('over')
})

test('a signal ends a watch with its reason, before it begins as well', async () => {
  const { pgq } = await freshQueue()
  const { id } = await pgq.enqueue(queue, {})
  const controller = new AbortController()
  const { seen, over } = follow(pgq.watch(id, { signal: controller.signal }))
  await until('it is seen', () => seen.length > 0)
  controller.abort('enough')
  expect(await over).toBe('enough')
  expect(await follow(pgq.watch(id, { signal: controller.signal })).over).toBe('enough')
})

test('many watches share their looks, and without any there are none', async () => {
  const { pgq, sql, pool } = await freshQueue()
  const ids = (
    await pgq.enqueueMany(
      queue,
      Array.from({ length: 300 }, () => ({})),
    )
  ).map(({ id }) => id)
  const sides = [...ids, ...ids].map((id) => follow(pgq.watch(id, { interval: 20 })))
  await until('all are seen', () => sides.every(({ seen }) => seen.length > 0))
  expect(pool.totalCount).toBeLessThanOrEqual(5)
  await pgq.cancel({ queue, status: 'pending' })
  expect(new Set(await Promise.all(sides.map(({ over }) => over)))).toEqual(new Set(['over']))
  for (const { seen } of sides) expect(seen.map((job) => job.status)).toEqual(['pending', 'cancelled'])
  const looks = async (): Promise<string> => {
    const [row] = await sql(
      `SELECT max(query_start)::text AS at FROM pg_stat_activity WHERE query LIKE '%job.tableoid%' AND pid <> pg_backend_pid()`,
    )
    return row.at
  }
  const before = await looks()
  const { id } = await pgq.enqueue(queue, {})
  await pgq.get(id)
  expect(await looks()).toBe(before)
})

test('a watch lives through an outage, and is over with its pgq', async () => {
  const { schema, databaseUrl, pgq: direct } = await freshQueue()
  const proxy = await startProxy(databaseUrl)
  const pgq = createPgq({ connectionString: proxy.url, schema })
  cleanUpAfterwards(() => pgq.close())
  const errors = collect(pgq, 'error')
  const { id } = await direct.enqueue(queue, {})
  const { id: other } = await direct.enqueue(queue, {})
  const { seen, over } = follow(pgq.watch(id, { interval: 20 }))
  const open = follow(pgq.watch(other, { interval: 20 }))
  await until('both are seen', () => seen.length > 0 && open.seen.length > 0)
  proxy.stall()
  proxy.cut()
  await until('the outage is noticed', () => errors.length > 0)
  await direct.cancel(id)
  proxy.resume()
  expect(await over).toBe('over')
  expect(last(seen)).toBe('cancelled')
  await pgq.close()
  expect(await open.over).toEqual(coded('CLOSED'))
  expect(() => pgq.watch(id)).toThrow(coded('CLOSED'))
})

test('bad options are refused', async () => {
  const { pgq } = await freshQueue()
  expect(() => pgq.watch('nonsense')).toThrow(coded('INVALID_ID'))
  const id = '00000000-0000-7000-8000-000000000000'
  expect(() => pgq.watch(id, { interval: 1 })).toThrow(coded('INVALID_OPTION'))
})

test('a watch that waits can be ended by whoever holds it', async () => {
  const { pgq } = await freshQueue()
  const { id } = await pgq.enqueue(queue, {})
  const watch = pgq.watch(id)
  await watch.next()
  const waiting = watch.next()
  await watch.return?.()
  expect(await waiting).toEqual({ done: true, value: undefined })
  expect(await watch.next()).toEqual({ done: true, value: undefined })
  const stream = Readable.from(pgq.watch(id))
  await new Promise((resolve) => stream.once('data', resolve))
  stream.destroy()
  await new Promise((resolve) => stream.once('close', resolve))
})

test('a watch that was made before its pgq was closed, and begins after, is over at once', async () => {
  const { pgq } = await freshQueue()
  const { id } = await pgq.enqueue(queue, {})
  const watch = pgq.watch(id)
  await pgq.close()
  await expect(watch.next()).rejects.toThrow(coded('CLOSED'))
})
