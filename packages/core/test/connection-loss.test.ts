import { setTimeout as sleep } from 'node:timers/promises'
import { type Postgres, startPostgres } from '@pgq/embedded-postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPgq, defineQueue, fixed, handle, type Pgq, type Queue } from '../src/index.ts'
import { cleanUpAfterwards, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { startProxy } from './support/proxy.ts'

const { pgq: direct, sql, schema, databaseUrl } = await freshQueue()

const LEASE = { lease: '1s', pollInterval: 100 } as const

/** Enqueues one job after another until told to stop; returns the keys of those whose enqueue was acknowledged. */
function produce(
  pgq: Pgq,
  queue: Queue<string, string>,
): { readonly sure: readonly string[]; stop: () => Promise<{ sure: string[]; unsure: string[] }> } {
  const sure: string[] = []
  const unsure: string[] = []
  const ended = new AbortController()
  const run = async (): Promise<void> => {
    for (let i = 0; !ended.signal.aborted; i++) {
      const key = `job ${i}`
      try {
        await pgq.enqueue(queue, key)
        sure.push(key)
      } catch {
        unsure.push(key) // it may be there or not
      }
      await sleep(2)
    }
  }
  const running = run()
  return {
    sure,
    stop: async () => {
      ended.abort()
      await running
      return { sure, unsure }
    },
  }
}

const unfinished = async (pgq: Pgq, queue: Queue<string, string>): Promise<number> =>
  (await pgq.list({ queue, status: ['pending', 'processing', 'failed'] })).jobs.length

test('when its backends are killed all the time a worker goes on, and every acknowledged job completes', async () => {
  const url = new URL(databaseUrl)
  url.searchParams.set('application_name', 'killed all the time')
  const pgq = createPgq({ connectionString: url.href, schema })
  cleanUpAfterwards(() => pgq.close())
  const plain = defineQueue<string, string>('terminated.plain', { maxAttempts: 1_000, backoff: fixed(0) })
  const transactional = defineQueue<string, string>('terminated.tx', {
    maxAttempts: 1_000,
    backoff: fixed(0),
  })
  await sql(`CREATE TABLE ${schema}.effects (key text)`)
  const ran = new Set<string>()
  const worker = await work(
    pgq,
    [
      handle(plain, async (job) => {
        ran.add(job.payload)
        await sleep(3)
      }),
      handle(
        transactional,
        async (job, { tx }) =>
          void (await tx.query(`INSERT INTO ${schema}.effects VALUES ($1)`, [job.payload])),
        {
          transactional: true,
          concurrency: 3,
        },
      ),
    ],
    LEASE,
  )
  const producers = [produce(pgq, plain), produce(pgq, transactional)]
  let killed = 0
  // On a busy machine it may take a while until one gets through between two kills.
  while (killed < 150 || producers.some(({ sure }) => sure.length === 0)) {
    const rows = await sql(
      `SELECT pg_terminate_backend(pid) FROM (
         SELECT pid FROM pg_stat_activity WHERE application_name = 'killed all the time' ORDER BY random() LIMIT 2) AS victim`,
    )
    killed += rows.length
    await sleep(15)
  }
  const [plainJobs, txJobs] = await Promise.all(producers.map((producer) => producer.stop()))
  await until(
    'all are done',
    async () => (await unfinished(direct, plain)) + (await unfinished(direct, transactional)) === 0,
  )
  expect(plainJobs?.sure.length).toBeGreaterThan(0)
  expect(plainJobs?.sure.filter((key) => !ran.has(key))).toEqual([])
  const { jobs } = await direct.list({ queue: transactional, limit: 1_000 })
  expect(jobs.filter(({ status }) => status !== 'completed')).toEqual([])
  const effects = await sql(`SELECT key FROM ${schema}.effects`)
  expect(effects).toHaveLength(jobs.length)
  expect(new Set(effects.map(({ key }) => key))).toEqual(new Set(jobs.map(({ payload }) => payload)))
  expect(txJobs?.sure.filter((key) => !effects.some((row) => row.key === key))).toEqual([])
  expect(worker.id).toBeDefined()
})

const stillborn = (what: string): Promise<unknown[]> =>
  sql(`SELECT ${what} FROM pg_stat_activity WHERE application_name = 'stillborn' AND state = 'idle'`)

test('a connection that breaks in the moment it is opened does not end the process', async () => {
  const proxy = await startProxy(databaseUrl)
  const url = new URL(proxy.url)
  url.searchParams.set('application_name', 'stillborn')
  const pgq = createPgq({ connectionString: url.href, schema })
  cleanUpAfterwards(() => pgq.close())
  const passOn = proxy.holdAnswers()
  const transaction = pgq.transaction(async (tx) => tx.query('SELECT 1'))
  const settled = transaction.then(
    () => undefined,
    (error: unknown) => error,
  )
  await until('it is open on the side of the server', async () => (await stillborn('pid')).length === 1)
  await stillborn('pg_terminate_backend(pid)')
  await until('it is closed', async () => (await stillborn('pid')).length === 0)
  // The client learns in one piece that it is connected, and that it is not. An error event without a listener would
  // fail this run as an uncaught exception.
  passOn()
  expect(await settled).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
})

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres({ durable: true })
})
afterAll(() => postgres.stop())

test('when the server crashes under load every acknowledged job completes', async () => {
  const pgq = createPgq({ connectionString: postgres.url })
  cleanUpAfterwards(() => pgq.close())
  await pgq.migrate()
  const queue = defineQueue<string, string>('crashed', { maxAttempts: 1_000, backoff: fixed(0) })
  const ran = new Set<string>()
  const handler = handle(queue, async (job) => {
    ran.add(job.payload)
    await sleep(2)
  })
  await work(pgq, [handler], LEASE)
  const producer = produce(pgq, queue)
  for (let crash = 0; crash < 3; crash++) {
    await sleep(300)
    await postgres.restart('immediate')
  }
  await sleep(300)
  const { sure } = await producer.stop()
  await until('all are done', async () => (await unfinished(pgq, queue).catch(() => 1)) === 0, 30_000)
  expect(sure.length).toBeGreaterThan(0)
  expect(sure.filter((key) => !ran.has(key))).toEqual([])
  const { jobs } = await pgq.list({ queue, limit: 1_000 })
  const completed = new Set(jobs.filter(({ status }) => status === 'completed').map(({ payload }) => payload))
  expect(sure.filter((key) => !completed.has(key))).toEqual([])
})
