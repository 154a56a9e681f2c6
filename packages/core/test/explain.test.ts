import { latch, until, work } from '@pgq/test-support'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { DeadJob, defineQueue, fixed, handle, type Reason } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { startWorkerProcess } from './support/worker-process.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()

const reasonsOf = async (id: string): Promise<readonly Reason[]> => (await pgq.explain(id))?.reasons ?? []
const codesOf = async (id: string): Promise<string[]> => (await reasonsOf(id)).map(({ code }) => code)

/** A live worker for a queue that claims nothing. */
const register = (queue: string, lease = '1 h'): Promise<unknown> =>
  sql(
    `INSERT INTO ${schema}.workers (id, name, hostname, pid, queues, concurrency, lease_until)
     VALUES (gen_random_uuid(), $2, 'h', 1, ARRAY[$1], 1, now() + $3::interval)`,
    [queue, `worker of ${queue}`, lease],
  )

test('there is nothing to say of a job that does not exist', async () => {
  expect(await pgq.explain('00000000-0000-7000-8000-000000000000')).toBeNull()
  await expect(pgq.explain('7')).rejects.toMatchObject({ code: 'INVALID_ID' })
})

test('a job that waits is told everything that is in its way', async () => {
  const queue = defineQueue('waits')
  const scheduledFor = new Date('2050-01-01T00:00:00Z')
  const { id } = await pgq.enqueue(queue, null, { scheduledFor })
  await sql(
    `INSERT INTO ${schema}.queues (name, paused_at, paused_reason) VALUES ('waits', now(), 'maintenance')`,
  )
  expect(await pgq.explain(id)).toEqual({
    state: 'waiting',
    reasons: [
      { code: 'not_due', message: expect.stringContaining('2050'), until: scheduledFor },
      {
        code: 'queue_paused',
        message: expect.stringContaining('maintenance'),
        since: expect.any(Date),
        reason: 'maintenance',
      },
      { code: 'no_worker', message: expect.stringContaining('waits') },
    ],
  })
})

test('workers that have not renewed their leases are named', async () => {
  const queue = defineQueue('late')
  const { id } = await pgq.enqueue(queue, null)
  await register('late', '-1 min')
  expect(await reasonsOf(id)).toMatchObject([
    { code: 'workers_late', workers: [{ name: 'worker of late', leaseUntil: expect.any(Date) }] },
  ])
})

test('the due jobs that go before it are counted, and counting ends', async () => {
  const queue = defineQueue('behind')
  await register('behind')
  const first = await pgq.enqueue(queue, null)
  expect(await reasonsOf(first.id)).toMatchObject([{ code: 'next', workers: 1, running: 0 }])
  const second = await pgq.enqueue(queue, null)
  await pgq.enqueueMany(queue, Array(3).fill(null), { priority: -1 })
  await pgq.enqueueMany(queue, Array(5).fill(null), { priority: -2, delay: '1h' })
  await pgq.enqueueMany(queue, Array(7).fill(null), { priority: 1 })
  expect(await reasonsOf(second.id)).toMatchObject([{ code: 'behind_others', jobs: 4, isMore: false }])
  await pgq.enqueueMany(queue, Array(1_000).fill(null), { priority: -5 })
  expect(await reasonsOf(second.id)).toMatchObject([{ code: 'behind_others', jobs: 1_000, isMore: true }])
})

test('limits and rates say until when, or which jobs hold them', async () => {
  await register('limited')
  await sql(
    `INSERT INTO ${schema}.queues (name, concurrency_limit, group_concurrency_limit, rate_limit, rate_period_ms)
     VALUES ('limited', 2, 1, 1, 1000)`,
  )
  const held = await sql<{ id: string }>(
    `INSERT INTO ${schema}.jobs_processing (id, queue_name, group_key, status, limited)
     SELECT gen_random_uuid(), 'limited', 'group ' || n, 'processing', true FROM generate_series(1, 2) AS n RETURNING id`,
  )
  await sql(
    `INSERT INTO ${schema}.rates (queue_name, group_key, available_at, blocked_until)
     VALUES ('limited', '', now() + '1 h', NULL), ('limited', 'group 1', NULL, now() + '1 h'), ('limited', 'group 2', now() + '1 h', now() + '1 h')`,
  )
  const [job] = await sql<{ id: string }>(
    `INSERT INTO ${schema}.jobs (queue_name, group_key) VALUES ('limited', 'group 1') RETURNING id`,
  )
  const date = expect.any(Date)
  expect(await reasonsOf(job?.id ?? '')).toMatchObject([
    { code: 'rate_limited', group: null, until: date },
    { code: 'held_back', group: 'group 1', until: date },
    { code: 'at_limit', group: null, limit: 2, running: 2, heldBy: held.map(({ id }) => id).toSorted() },
    { code: 'at_limit', group: 'group 1', limit: 1, running: 1, heldBy: [held[0]?.id] },
  ])
})

const reasonsInHours = async (id: string) =>
  (await reasonsOf(id)).map((reason) =>
    reason.code === 'rate_limited'
      ? `${reason.group}: ${((Number(reason.until) - Date.now()) / 3_600_000).toFixed(1)} h`
      : reason.code,
  )

test('a job that costs more than what is left of a rate is told when it may begin', async () => {
  const queue = defineQueue('costly')
  await register('costly')
  const rate = { limit: 1, per: '1h', burst: 10 } as const
  await pgq.setLimits(queue, { rate, perGroup: { rate } })
  const enqueue = (cost: number, group: string) => pgq.enqueue(queue, null, { cost, group })
  await sql(
    `INSERT INTO ${schema}.rates (queue_name, group_key, available_at)
     VALUES ('costly', '', now() - interval '1 h'), ('costly', 'a', now() - interval '3 h'), ('costly', 'b', now() - interval '1 day')`,
  )
  const quota = await enqueue(2, 'b')
  expect(await reasonsInHours(quota.id)).toEqual(['next'])
  const large = await enqueue(5, 'a')
  expect(await reasonsInHours(large.id)).toEqual(['null: 3.0 h', 'a: 1.0 h'])
  // One that costs more than can be saved up waits until all of it is.
  const huge = await enqueue(50, 'c')
  expect(await reasonsInHours(huge.id)).toEqual(['null: 8.0 h'])
})

test('from its first attempt to its end, a job says where it runs, when it runs again, and how it ended', async () => {
  const queue = defineQueue('life', { backoff: fixed('1h'), maxAttempts: 2 })
  const started = latch()
  const goOn = latch()
  const handler = handle(queue, async (job) => {
    if (job.payload === 'fails') throw new Error('no luck')
    if (job.payload === 'dies') throw new DeadJob('no hope')
    started.open()
    await goOn.opened
  })
  const worker = await work(pgq, [handler], { name: 'the worker' })
  const { id } = await pgq.enqueue(queue, 'runs')
  await started.opened
  const since = (await pgq.get(id))?.startedAt
  expect(await pgq.explain(id)).toMatchObject({
    state: 'running',
    reasons: [
      {
        code: 'running',
        attempt: 1,
        workerId: worker.id,
        workerName: 'the worker',
        workerState: 'alive',
        since,
      },
    ],
  })
  goOn.open()
  await until('it is completed', async () => (await codesOf(id))[0] === 'completed')
  expect(await pgq.explain(id)).toMatchObject({ state: 'ended', reasons: [{ at: expect.any(Date) }] })

  const fails = await pgq.enqueue(queue, 'fails')
  await until('it failed', async () => (await codesOf(fails.id))[0] === 'retry_later')
  expect(await reasonsOf(fails.id)).toMatchObject([
    { attempts: 1, maxAttempts: 2, error: 'no luck', until: expect.any(Date) },
  ])
  await pgq.cancel(fails.id, { reason: 'enough' })
  expect(await reasonsOf(fails.id)).toMatchObject([{ code: 'cancelled', reason: 'enough' }])

  const dies = await pgq.enqueue(queue, 'dies')
  await until('it is dead', async () => (await codesOf(dies.id))[0] === 'dead')
  expect(await reasonsOf(dies.id)).toMatchObject([
    {
      code: 'dead',
      attempts: 1,
      error: 'no hope',
      errors: [{ attempt: 1, message: 'no hope', at: expect.any(String) }],
    },
  ])
})

test('workers in other processes show what they have in hand, and go when they stop', async () => {
  const options = { name: 'in another process' }
  const queues = [{ name: 'fleet.a', concurrency: 3 }, { name: 'fleet.b' }]
  const child = await startWorkerProcess({ url: databaseUrl, schema, queues, options })
  await pgq.enqueueMany(
    defineQueue('fleet.a'),
    Array.from({ length: 5 }, () => ({ steps: [{ do: 'forever' }] })),
  )
  const { id } = await pgq.enqueue(defineQueue('fleet.b'), { steps: [{ do: 'forever' }] })
  await child.said('step.forever', id)
  const seen = await until('it has them all', async () =>
    (await pgq.workers()).find(({ running }) => running.length === 2 && running[0]?.jobs === 3),
  )
  expect(seen).toMatchObject({
    name: 'in another process',
    pid: child.pid,
    queues: ['fleet.a', 'fleet.b'],
    concurrency: 13,
    state: 'alive',
    running: [
      { queue: 'fleet.a', jobs: 3, since: expect.any(Date) },
      { queue: 'fleet.b', jobs: 1 },
    ],
  })
  const rows = await sql(
    `SELECT queue_name, jobs::int FROM ${schema}.worker_jobs WHERE pid = $1 ORDER BY 1`,
    [child.pid],
  )
  expect(rows).toEqual([
    { queue_name: 'fleet.a', jobs: 3 },
    { queue_name: 'fleet.b', jobs: 1 },
  ])
  child.kill('SIGKILL')
  await child.exited
  expect(await reasonsOf(id)).toMatchObject([{ code: 'running', workerName: 'in another process' }])
})

/** How many rows a session has read: in this transaction, and in those before it of which it has not told yet. */
async function rowsRead(client: pg.Client): Promise<{ scanned: number; fetched: number }> {
  const { rows } = await client.query(
    `SELECT sum(seq_tup_read)::int AS scanned, sum(idx_tup_fetch)::int AS fetched FROM pg_stat_xact_user_tables WHERE schemaname = $1`,
    [schema],
  )
  return rows[0]
}

test('explain reads no more rows behind a long queue than it counts, whatever else waits', async () => {
  const client = new pg.Client({ connectionString: inject('directUrl') })
  await client.connect()
  try {
    await sql(
      `INSERT INTO ${schema}.jobs (queue_name, priority, scheduled_for, group_key)
       SELECT 'big', n % 3 - 1, CASE WHEN n % 3 = 0 THEN now() + '1 h' ELSE now() - '1 h'::interval END, CASE WHEN n % 2 = 0 THEN 'g' END
       FROM generate_series(1, 60000) AS n`,
    )
    await sql(`ANALYZE ${schema}.jobs_waiting`)
    for (const group of [null, 'g']) {
      const [job] = await sql<{ id: string }>(
        `INSERT INTO ${schema}.jobs (queue_name, priority, group_key) VALUES ('big', 5, $1) RETURNING id`,
        [group],
      )
      await client.query('BEGIN')
      const before = await rowsRead(client)
      await client.query(`SELECT * FROM ${schema}.explain($1)`, [job?.id])
      const after = await rowsRead(client)
      await client.query('COMMIT')
      expect(after.scanned - before.scanned).toBeLessThan(50) // the workers, of whom there are few
      expect(after.fetched - before.fetched).toBeLessThan(1_100)
      expect(await codesOf(job?.id ?? '')).toContain('behind_others')
    }
  } finally {
    await client.end()
  }
})
