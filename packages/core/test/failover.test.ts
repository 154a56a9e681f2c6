import { type Postgres, startPostgres, startStandby } from '@pgq/embedded-postgres'
import { cleanUpAfterwards, freshName, until, work } from '@pgq/test-support'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPgq, defineQueue, handle, isPgqError, type Pgq } from '../src/index.ts'
import { collect } from './support/collect.ts'

let primary: Postgres
let standby: Postgres
beforeAll(async () => {
  primary = await startPostgres()
  standby = await startStandby(primary, 'standby')
  await ask(primary.url, `ALTER SYSTEM SET synchronous_standby_names = 'standby'`)
  await ask(primary.url, 'SELECT pg_reload_conf()')
  await until('the standby is a synchronous one', async () => {
    const [row] = await ask<{ sync_state: string }>(primary.url, 'SELECT sync_state FROM pg_stat_replication')
    return row?.sync_state === 'sync'
  })
})
afterAll(async () => {
  await primary.stop()
  await standby.stop()
})

async function ask<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

/** A connection string with all of these servers in it. */
const urlOf = (...ports: number[]): string =>
  `postgres://postgres@${ports.map((port) => `127.0.0.1:${port}`).join(',')}/postgres?target_session_attrs=read-write`

/** A port on which nobody listens. */
const NOBODY = 1

async function queueOn(connectionString: string, schema = freshName()): Promise<Pgq> {
  const pgq = createPgq({ connectionString, schema })
  cleanUpAfterwards(() => pgq.close())
  await pgq.migrate()
  return pgq
}

const mail = defineQueue<number, string>('mail')
const order = defineQueue<number>('order')

test('of several hosts the one that takes writes is found, wherever it stands in the list', async () => {
  for (const ports of [
    [NOBODY, standby.port, primary.port],
    [primary.port, standby.port],
  ]) {
    const pgq = await queueOn(urlOf(...ports))
    const completed = collect(pgq, 'job.completed')
    const connected = collect(pgq, 'listener.connected')
    await work(pgq, [handle(mail, () => 'sent')])
    const { id } = await pgq.enqueue(mail, 1)
    await until('it is done', () => completed.some(({ job }) => job.id === id))
    await until('it listens', () => connected.length === 1)
    expect(await pgq.get(id)).toMatchObject({ status: 'completed', result: 'sent' })
  }
})

test('where no host takes writes, the error says of each of them why', async () => {
  const pgq = createPgq({ connectionString: urlOf(NOBODY, standby.port) })
  cleanUpAfterwards(() => pgq.close())
  const refused = expect.objectContaining({
    code: 'DATABASE_UNAVAILABLE',
    message: expect.stringMatching(
      `none of the hosts takes writes \\(127.0.0.1:1: .*ECONNREFUSED.*; 127.0.0.1:${standby.port}: it is read-only`,
    ),
  })
  await expect(pgq.enqueue(mail, 1)).rejects.toEqual(refused)
  await expect(pgq.transaction(() => Promise.resolve())).rejects.toEqual(refused)
})

test('the thread that renews the lease of a blocked process finds the primary as well', async () => {
  const pgq = await queueOn(urlOf(standby.port, primary.port))
  const lost = collect(pgq, 'worker.lost')
  const completed = collect(pgq, 'job.completed')
  const handler = handle(mail, () => {
    for (const end = performance.now() + 3_000; performance.now() < end;);
    return 'sent'
  })
  await work(pgq, [handler], { lease: 1_000, maxBlocked: 30_000 })
  // Somebody else who would take over.
  const other = await queueOn(primary.url, pgq.schema)
  await work(other, [handle(order, () => {})], { lease: 1_000 })
  const { id } = await pgq.enqueue(mail, 1)
  await until('it is done', () => completed.length === 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1 })
  expect(lost).toEqual([])
})

test('a connection to a server that has become read-only does not go back into the pool', async () => {
  const pgq = await queueOn(primary.url)
  const insert = (): Promise<unknown> => pgq.transaction((tx) => pgq.enqueue(mail, 1, { tx }))
  await pgq.transaction((tx) => tx.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'))
  await expect(insert()).rejects.toMatchObject({ sqlState: '25006' })
  await insert()
})

/** What the clients were told, to be held against what the new primary has. */
interface Told {
  readonly acknowledged: Set<string>
  readonly completed: string[]
  /** Ids of jobs that began again after their completion was told. */
  readonly again: string[]
}

/** Enqueues one job after the other, half of them transactional, until it is asked to stop. */
async function produce(pgq: Pgq, told: Told, isOver: () => boolean): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    try {
      const { id } = await pgq.enqueue(i % 2 === 0 ? mail : order, i)
      told.acknowledged.add(id)
    } catch (error) {
      if (!isPgqError(error, 'DATABASE_UNAVAILABLE')) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

// Last: it ends the primary for good.
test('a failover to a synchronous standby under load loses nothing that was told, and all go on by themselves', async () => {
  const url = urlOf(standby.port, primary.port)
  const client = await queueOn(url)
  const { schema } = client
  await ask(primary.url, `CREATE TABLE ${schema}.effects (job_id uuid)`)
  const told: Told = { acknowledged: new Set(), completed: [], again: [] }
  const begin = (id: string): void => {
    if (told.completed.includes(id)) told.again.push(id)
  }
  for (const pgq of [await queueOn(url, schema), await queueOn(url, schema)]) {
    pgq.events.on('job.completed', ({ job }) => told.completed.push(job.id))
    const effect = `INSERT INTO ${schema}.effects VALUES ($1)`
    await work(
      pgq,
      [
        handle(mail, (job) => {
          begin(job.id)
          return 'sent'
        }),
        handle(
          order,
          async (job, { tx }) => {
            begin(job.id)
            await tx.query(effect, [job.id])
          },
          { transactional: true, concurrency: 5 },
        ),
      ],
      { lease: 2_000 },
    )
  }
  let isOver = false
  const producers = Array.from({ length: 8 }, () => produce(client, told, () => isOver))
  await until('there is load', () => told.completed.length > 300)

  await primary.kill()
  const before = told.acknowledged.size
  await ask(standby.url, 'SELECT pg_promote()')
  await until('jobs are enqueued again', () => told.acknowledged.size > before + 200)
  isOver = true
  await Promise.all(producers)
  await until('everything has come to its end', async () => {
    const [row] = await ask<{ live: string }>(
      standby.url,
      `SELECT count(*) AS live FROM ${schema}.jobs WHERE status <> 'completed'`,
    )
    return row?.live === '0'
  })

  const rows = await ask<{ id: string; queue_name: string }>(
    standby.url,
    `SELECT id, queue_name FROM ${schema}.jobs`,
  )
  const there = new Set(rows.map(({ id }) => id))
  expect(there.size).toBe(rows.length)
  expect([...told.acknowledged].filter((id) => !there.has(id))).toEqual([])
  expect(told.completed.filter((id) => !there.has(id))).toEqual([])
  expect(new Set(told.completed).size).toBe(told.completed.length)
  expect(told.again).toEqual([])
  const effects = await ask<{ job_id: string }>(standby.url, `SELECT job_id FROM ${schema}.effects`)
  const orders = rows.filter(({ queue_name }) => queue_name === 'order').map(({ id }) => id)
  expect(effects.map(({ job_id }) => job_id).toSorted()).toEqual(orders.toSorted())
})
