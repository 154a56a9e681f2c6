import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { stillWorker } from './support/held-jobs.ts'

const mail = defineQueue('mail')
const uniqueKey = 'k'

test('a key is held while its job waits, runs and waits for another attempt, and is free when it has ended', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const worker = await stillWorker(fresh)
  const first = await pgq.enqueue(mail, 1, { uniqueKey })
  const again = () => pgq.enqueue(mail, 2, { uniqueKey })
  expect(await again()).toEqual({ id: first.id, deduplicated: true })
  const [running] = await worker.claim('mail')
  expect(await again()).toEqual({ id: first.id, deduplicated: true })
  const error = { name: 'Error', message: 'no' }
  await worker.store.settleWaiting(worker.database, [
    { ...worker.held(running), status: 'failed', delayMs: 0, error },
  ])
  expect(await again()).toEqual({ id: first.id, deduplicated: true })
  const [repeated] = await worker.claim('mail')
  await worker.store.settleCompleted(worker.database, [{ ...worker.held(repeated), result: { json: null } }])
  expect(await sql(`SELECT * FROM ${schema}.unique_keys`)).toEqual([])
  expect(await again()).toMatchObject({ deduplicated: false })
})

test('a key that a vanished job has left behind is taken over, by one of many', async () => {
  const { pgq, pool, sql, schema } = await freshQueue()
  const { id } = await pgq.enqueue(mail, 1, { uniqueKey })
  // Not by way of the parent table, where a trigger would give the key back.
  await sql(`DELETE FROM ${schema}.jobs_waiting WHERE id = $1`, [id])
  const client = await pool.connect()
  await client.query('BEGIN')
  const winner = await pgq.enqueue(mail, 2, { uniqueKey, tx: client })
  const others = Promise.all(
    [1, 2, 3].map((n) => pgq.transaction((tx) => pgq.enqueue(mail, n, { uniqueKey, tx }))),
  )
  await expect
    .poll(() =>
      sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`),
    )
    .not.toEqual([])
  await client.query('COMMIT')
  client.release()
  expect(winner).toMatchObject({ deduplicated: false })
  expect(await others).toEqual([1, 2, 3].map(() => ({ id: winner.id, deduplicated: true })))
  expect(await sql(`SELECT count(*)::int AS n FROM ${schema}.jobs`)).toEqual([{ n: 1 }])
})

test('while jobs with a key are claimed and settled, there is never more than one of them alive', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  let running = 0
  let most = 0
  const worker = await stillWorker(fresh)
  const over = new AbortController()
  const working = (async () => {
    while (!over.signal.aborted) {
      const jobs = await worker.claim('mail')
      running += jobs.length
      most = Math.max(most, running)
      const claims = jobs.map((job) => ({ ...worker.held(job), result: { json: null } }))
      running -= jobs.length
      if (claims.length > 0) await worker.store.settleCompleted(worker.database, claims)
    }
  })()
  const alive: number[] = []
  const counting = (async () => {
    while (!over.signal.aborted) {
      const [row] = await sql(
        `SELECT count(*)::int AS n FROM ${schema}.jobs WHERE status IN ('pending', 'processing', 'failed')`,
      )
      alive.push(row?.n as number)
    }
  })()
  const enqueue = async (): Promise<number> => {
    let written = 0
    for (let n = 0; n < 150; n++) if (!(await pgq.enqueue(mail, n, { uniqueKey })).deduplicated) written++
    return written
  }
  const written = await Promise.all([enqueue(), enqueue(), enqueue(), enqueue()])
  over.abort()
  await Promise.all([working, counting])
  expect(Math.max(...alive)).toBe(1)
  expect(most).toBe(1)
  const [row] = await sql(`SELECT count(*)::int AS n FROM ${schema}.jobs`)
  expect(row?.n).toBe(written.reduce((sum, n) => sum + n, 0))
})

test('what is written by hand keeps to the keys as well', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const insert = `INSERT INTO ${schema}.jobs (queue_name, unique_key) VALUES ('mail', 'k') RETURNING id`
  const [first] = await sql(insert)
  await expect(sql(insert)).rejects.toMatchObject({
    code: '23505',
    message: expect.stringContaining(`job ${first?.id} holds the unique key k of queue mail`),
  })
  await sql(`UPDATE ${schema}.jobs SET status = 'dead'`)
  const { id } = await pgq.enqueue(mail, 1, { uniqueKey })
  await expect(
    sql(`UPDATE ${schema}.jobs SET status = 'pending' WHERE status = 'dead'`),
  ).rejects.toMatchObject({
    code: '23505',
  })
  await sql(`DELETE FROM ${schema}.jobs WHERE id = $1`, [id])
  expect(await sql(`SELECT * FROM ${schema}.unique_keys`)).toEqual([])
  await sql(`UPDATE ${schema}.jobs SET status = 'pending' WHERE status = 'dead'`)
  expect(await pgq.enqueue(mail, 1, { uniqueKey })).toEqual({ id: first?.id, deduplicated: true })
})
