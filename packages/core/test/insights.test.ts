import { until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { CancelJob, DeadJob, defineQueue, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

const count = (jobs: number, isMore = false): unknown => ({ jobs, isMore })

test('counts end at 10,000', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'big' FROM generate_series(1, 10001)`)
  expect(await pgq.insights.count({ queue: 'big' })).toEqual(count(10_000, true))
  await sql(`DELETE FROM ${schema}.jobs WHERE id = (SELECT id FROM ${schema}.jobs LIMIT 1)`)
  expect(await pgq.insights.count({ queue: 'big' })).toEqual(count(10_000))
})

test('workers write down how the attempts of each queue ended, and an idle one writes nothing', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue<string>('endings', { maxAttempts: 2, backoff: () => 0 })
  const worker = await work(pgq, [
    handle(queue, async ({ payload }) => {
      if (payload === 'dies') throw new DeadJob('no')
      if (payload === 'stops') throw new CancelJob('no')
      if (payload === 'fails') throw new Error('no')
    }),
  ])
  await pgq.enqueueMany(queue, ['works', 'works', 'dies', 'stops', 'fails'])
  await until('all have ended', async () => {
    const [row] = await sql(`SELECT count(*) AS left FROM ${schema}.jobs WHERE completed_at IS NULL`)
    return row.left === '0'
  })
  await worker.stop()
  const periods = await pgq.insights.periods({ queue, since: '1h', period: '1h' })
  const sum = (name: 'completed' | 'failed' | 'dead' | 'cancelled' | 'ranMs' | 'waitedMs'): number =>
    periods.reduce((total, period) => total + period[name], 0)
  expect([sum('completed'), sum('failed'), sum('dead'), sum('cancelled')]).toEqual([2, 1, 2, 1])
  expect(sum('ranMs')).toBeGreaterThan(0)
  expect(sum('waitedMs')).toBeGreaterThan(0)
  const idle = await work(pgq, [handle(queue, async () => {})])
  await sql(`DELETE FROM ${schema}.queue_minutes`)
  await idle.stop()
  expect(await pgq.insights.periods()).toEqual([])
})

test('a search finds by payload, by its text, by error and by time, a page at a time', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const ids = (
    await pgq.enqueueMany(defineQueue('find'), [{ customer: 'Ada' }, { customer: 'Bob' }, { n: 3 }])
  ).map(({ id }) => id)
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at, error) VALUES ('find', 'dead', now(), 'Timeout of 30 s')`,
  )
  const idsOf = async (filter: object): Promise<string[]> =>
    (await pgq.insights.search(filter)).jobs.map(({ id }) => id)
  expect(await idsOf({ payload: { customer: 'Ada' } })).toEqual([ids[0]])
  expect(await idsOf({ payloadText: 'CUSTOMER": "b' })).toEqual([ids[1]])
  expect(await idsOf({ payloadText: '%' })).toEqual([])
  expect(await idsOf({ error: 'timeout OF' })).toHaveLength(1)
  expect(await idsOf({ createdBefore: new Date(0) })).toEqual([])
  expect(await pgq.cancel({ payloadText: '"ada"' })).toBe(1)
  const first = await pgq.insights.search({ limit: 3 })
  const second = await pgq.insights.search({ limit: 3, cursor: first.cursor as string })
  expect([...first.jobs, ...second.jobs].map(({ id }) => id)).toHaveLength(4)
  expect(first.jobs).toHaveLength(3)
  expect(second.cursor).toBeUndefined()
})

test('the dead jobs of one queue are found at once among many of others, a page at a time', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const fill = (queue: string, status: string, many: number): Promise<unknown> =>
    sql(
      `INSERT INTO ${schema}.jobs (queue_name, status, completed_at) SELECT $1, $2, now() FROM generate_series(1, $3::int)`,
      [queue, status, many],
    )
  await fill('mine', 'dead', 3)
  await fill('mine', 'cancelled', 3)
  await fill('others', 'dead', 5_000)
  const first = await pgq.insights.search({ queue: 'mine', status: 'dead', limit: 2 })
  const second = await pgq.insights.search({
    queue: 'mine',
    status: ['dead'],
    limit: 2,
    cursor: first.cursor as string,
  })
  expect([first.jobs.length, second.jobs.length, second.cursor]).toEqual([2, 1, undefined])
  expect([first.looked, second.looked]).toEqual([3, 1])
  expect(await pgq.insights.count({ queue: 'mine', status: 'cancelled' })).toEqual(count(3))
  expect((await pgq.insights.search({ queue: 'mine', status: ['dead', 'cancelled'] })).jobs).toHaveLength(6)
})

test('a search for what is rare goes on where it stopped, and misses nothing', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await pgq.enqueue(defineQueue('rare'), { needle: true })
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, payload) SELECT 'hay', '{"n": 1}' FROM generate_series(1, 30000)`,
  )
  await pgq.enqueue(defineQueue('rare'), { needle: true })
  let found = 0
  let looked = 0
  for (let cursor: string | undefined, more = true; more;) {
    const page = await pgq.insights.search({ payload: { needle: true }, ...(cursor && { cursor }) })
    found += page.jobs.length
    looked += page.looked
    cursor = page.cursor
    more = cursor !== undefined
  }
  expect(found).toBe(2)
  expect(looked).toBe(30_002)
})

test('dead jobs are grouped by what they died of, without what differs from job to job', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`
    INSERT INTO ${schema}.jobs (queue_name, status, completed_at, error)
    SELECT 'mail', 'dead', now() + n * interval '1 ms', 'no answer from 10.0.0.' || n || ' for ' || gen_random_uuid() FROM generate_series(1, 3) AS n
    UNION ALL SELECT 'mail', 'dead', now(), 'column "' || n || '" is missing' FROM generate_series(1, 2) AS n
    UNION ALL SELECT 'other', 'dead', now(), NULL
    UNION ALL SELECT 'other', 'cancelled', now(), 'stopped'`)
  const groups = await pgq.insights.deadGroups()
  expect(groups.map(({ queue, pattern, jobs }) => [queue, pattern, jobs])).toEqual([
    ['mail', 'no answer from #.#.#.# for #', 3],
    ['mail', 'column … is missing', 2],
    ['other', '', 1],
  ])
  expect(groups[0]?.sample).toContain('10.0.0.3')
  expect((await pgq.get(groups[0]?.sampleId ?? ''))?.error).toBe(groups[0]?.sample)
  expect(await pgq.insights.deadGroups({ queue: 'other' })).toHaveLength(1)
})
