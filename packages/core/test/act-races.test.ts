import type pg from 'pg'
import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { stillWorker } from './support/held-jobs.ts'

const mail = defineQueue('mail')

/** Runs `act` while a transaction that has done `hold` is open; once the other waits, that one does `last` and commits. */
async function whileHeld<T>(
  { pool, schema, sql }: FreshQueue,
  hold: (client: pg.PoolClient) => Promise<unknown>,
  act: () => Promise<T>,
  last?: (client: pg.PoolClient) => Promise<unknown>,
): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await hold(client)
    const acting = act()
    acting.catch(() => {})
    await expect
      .poll(() =>
        sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`),
      )
      .not.toEqual([])
    await last?.(client)
    await client.query('COMMIT')
    return await acting
  } finally {
    client.release(true)
  }
}

const claimBy = (client: pg.PoolClient, schema: string, workerId: string) =>
  client.query(`SELECT FROM ${schema}.claim_jobs($1::uuid, '{mail}', '{10}', '{-32768}', '{-Infinity}')`, [
    workerId,
  ])

test('of a cancel and a completion at the same time one wins, and both know which', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const worker = await stillWorker(fresh)
  const total = 200
  await pgq.enqueueMany(
    mail,
    Array.from({ length: total }, (_, n) => n),
  )
  const jobs = await worker.claim('mail', total)
  const completed = await Promise.all(
    jobs.flatMap((job) => [
      worker.store
        .settleCompleted(worker.database, [{ ...worker.held(job), result: { json: null } }])
        .then((ids) => ids.size),
      pgq.cancel(job.id).then((count) => -count),
    ]),
  )
  for (const [index, job] of jobs.entries()) {
    const settled = completed[index * 2] === 1
    const cancelled = completed[index * 2 + 1] === -1
    expect(settled, job.id).toBe(!cancelled)
    expect((await pgq.get(job.id))?.status).toBe(settled ? 'completed' : 'cancelled')
  }
})

test('a cancel of jobs that are settled in batches loses none and stops none twice', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const worker = await stillWorker(fresh)
  await pgq.enqueueMany(
    mail,
    Array.from({ length: 1_000 }, (_, n) => n),
  )
  const jobs = await worker.claim('mail', 1_000)
  const [settled, cancelled] = await Promise.all([
    worker.store.settleCompleted(
      worker.database,
      jobs.map((job) => ({ ...worker.held(job), result: { json: null } })),
    ),
    pgq.cancel({ queue: mail }),
  ])
  expect(settled.size + cancelled).toBe(1_000)
  const counts = await pgq.counts()
  expect(counts.reduce((sum, count) => sum + count.jobs, 0)).toBe(1_000)
})

test('a cancel that waits for a row which is moved by hand sees where it went', async () => {
  const fresh = await freshQueue()
  const { id } = await fresh.pgq.enqueue(mail, 1)
  const cancelled = await whileHeld(
    fresh,
    (client) => client.query(`UPDATE ${fresh.schema}.jobs SET status = 'completed'`),
    () => fresh.pgq.cancel(id),
  )
  expect(cancelled).toBe(0)
  expect(await fresh.pgq.get(id)).toMatchObject({ status: 'completed' })
})

test('a job that is being claimed at that moment is cancelled all the same', async () => {
  const fresh = await freshQueue()
  const { pgq, schema } = fresh
  const worker = await stillWorker(fresh)
  const { id } = await pgq.enqueue(mail, 1)
  const cancelled = await whileHeld(
    fresh,
    (client) => claimBy(client, schema, worker.id),
    () => pgq.cancel(id),
  )
  expect(cancelled).toBe(1)
  expect(await pgq.get(id)).toMatchObject({ status: 'cancelled' })
})

test('a job whose progress is being written at that moment is cancelled all the same', async () => {
  const fresh = await freshQueue()
  const { pgq, schema } = fresh
  const worker = await stillWorker(fresh)
  const { id } = await pgq.enqueue(mail, 1)
  await worker.claim('mail')
  const cancelled = await whileHeld(
    fresh,
    (client) => client.query(`UPDATE ${schema}.jobs_processing SET progress = '50'`),
    () => pgq.cancel(id),
  )
  expect(cancelled).toBe(1)
  expect(await pgq.get(id)).toMatchObject({ status: 'cancelled', progress: 50 })
})

test('a waiting job that somebody changes at that moment is made due all the same', async () => {
  const fresh = await freshQueue()
  const { pgq, schema } = fresh
  const worker = await stillWorker(fresh)
  const { id } = await pgq.enqueue(mail, 1, { delay: '1h' })
  const retried = await whileHeld(
    fresh,
    (client) => client.query(`UPDATE ${schema}.jobs_waiting SET priority = 5`),
    () => pgq.retry(id),
  )
  expect(retried).toBe(1)
  expect(await worker.claim('mail')).toMatchObject([{ id, priority: 5 }])
})

test('a job that is claimed at that moment is cancelled all the same', async () => {
  const fresh = await freshQueue()
  const { pgq, schema } = fresh
  const worker = await stillWorker(fresh)
  const { id } = await pgq.enqueue(mail, 1)
  const cancelled = await whileHeld(
    fresh,
    (client) => claimBy(client, schema, worker.id),
    () => pgq.cancel(id),
  )
  expect(cancelled).toBe(1)
  expect(await pgq.get(id)).toMatchObject({ status: 'cancelled', attempts: 1 })
})

test('a filter by status means the status at the time of the change', async () => {
  const fresh = await freshQueue()
  const { pgq, schema } = fresh
  const worker = await stillWorker(fresh)
  const { id } = await pgq.enqueue(mail, 1)
  const cancelled = await whileHeld(
    fresh,
    (client) => claimBy(client, schema, worker.id),
    () => pgq.cancel({ status: 'pending' }),
  )
  expect(cancelled).toBe(0)
  expect(await pgq.get(id)).toMatchObject({ status: 'processing' })
})

test('a delete of dead jobs does not take one that is redriven at that moment', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const { id } = await pgq.enqueue(mail, 1)
  await sql(`UPDATE ${schema}.jobs SET status = 'dead'`)
  // The filter has been read when the other transaction commits: the delete has begun, and waits for a lock on a table.
  const deleted = await whileHeld(
    fresh,
    // It becomes a deadlock, which the delete is to notice and to solve by trying again: the other one looks much later.
    (client) =>
      client.query(`SET LOCAL deadlock_timeout = '30s'; LOCK TABLE ${schema}.jobs_waiting IN SHARE MODE`),
    () => pgq.delete({ status: 'dead' }),
    (client) => client.query(`UPDATE ${schema}.jobs SET status = 'pending'`),
  )
  expect(deleted).toBe(0)
  expect(await pgq.get(id)).toMatchObject({ status: 'pending' })
})

test('a dead job whose key a live one holds stays where it is; of two with one key the older goes', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const keyed = async (uniqueKey: string): Promise<string> => {
    const { id } = await pgq.enqueue(mail, 1, { uniqueKey })
    await sql(`UPDATE ${schema}.jobs SET status = 'dead' WHERE id = $1`, [id])
    return id
  }
  const held = await keyed('held')
  const [older, newer] = [await keyed('twice'), await keyed('twice')]
  const free = (await pgq.enqueue(mail, 1, { uniqueKey: 'held' })).id
  expect(await pgq.redrive([newer, held, older])).toBe(1)
  expect(await pgq.get(held)).toMatchObject({ status: 'dead' })
  expect(await pgq.get(older)).toMatchObject({ status: 'pending' })
  expect(await pgq.get(newer)).toMatchObject({ status: 'dead' })
  expect(await pgq.get(free)).toMatchObject({ status: 'pending' })
  expect(await pgq.redrive({ queue: mail })).toBe(0)
})

test('a key that is taken while a redrive is under way keeps its job dead, and no other', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const { id } = await pgq.enqueue(mail, 1, { uniqueKey: 'k' })
  const other = await pgq.enqueue(mail, 2)
  await sql(`UPDATE ${schema}.jobs SET status = 'dead'`)
  const redriven = await whileHeld(
    fresh,
    (client) => client.query(`SELECT ${schema}.enqueue('mail', unique_key => 'k')`),
    () => pgq.redrive({}),
  )
  expect(redriven).toBe(1)
  expect(await pgq.get(id)).toMatchObject({ status: 'dead' })
  expect(await pgq.get(other.id)).toMatchObject({ status: 'pending' })
})

test('many callers that cancel, retry and redrive the same jobs do not lock each other out', async () => {
  const { pgq } = await freshQueue()
  const ids = (
    await pgq.enqueueMany(
      mail,
      Array.from({ length: 300 }, (_, n) => n),
    )
  ).map(({ id }) => id)
  const shuffled = (): string[] => ids.toSorted(() => Math.random() - 0.5)
  await Promise.all(
    Array.from({ length: 8 }, (_, n) => [
      pgq.cancel(shuffled()),
      n % 2 ? pgq.redrive(shuffled()) : pgq.retry(shuffled()),
    ]).flat(),
  )
  expect((await pgq.counts()).reduce((sum, count) => sum + count.jobs, 0)).toBe(300)
})
