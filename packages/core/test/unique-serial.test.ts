import type pg from 'pg'
import { expect, test } from 'vitest'
import { tablesIn } from '../src/sql/statement.ts'
import { KeyStore } from '../src/store/key-store.ts'
import { WorkerStore } from '../src/store/worker-store.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { stillWorker } from './support/held-jobs.ts'
import { openSession, type TestSession } from './support/session.ts'
import { claimable, docs, keys, running } from './support/unique-docs.ts'

test('with serial, one waits while another runs, and others are deduplicated onto it', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = docs({ fields: ['doc'], serial: true })
  const first = await pgq.enqueue(queue, { doc: 1 })
  expect(await pgq.enqueue(queue, { doc: 1 })).toEqual({ id: first.id, deduplicated: true })
  const run = await running(fresh)
  const next = await pgq.enqueue(queue, { doc: 1 })
  expect(next).toMatchObject({ deduplicated: false })
  expect(await pgq.enqueue(queue, { doc: 1 })).toEqual({ id: next.id, deduplicated: true })
  expect(await claimable(fresh)).toEqual([])
  // Nor does it become due by a retry, by hand, or while the one that ran waits for another attempt.
  expect(await pgq.retry(next.id)).toBe(1)
  await sql(`UPDATE ${schema}.jobs SET scheduled_for = now() WHERE id = $1`, [next.id])
  expect(await claimable(fresh)).toEqual([])
  await run.fail()
  expect(await claimable(fresh)).toEqual([first.id])
  const again = await running(fresh)
  expect(again.id).toBe(first.id)
  await again.complete()
  expect(await claimable(fresh)).toEqual([next.id])
  await (await running(fresh)).complete()
  expect(await keys(fresh)).toEqual([])
})

test.each(['complete', 'die', 'cancel', 'delete by hand', 'cancel by hand', 'delete', 'rescue'])(
  'what waits is released when the job ahead ends: %s',
  async (how) => {
    const fresh = await freshQueue()
    const { pgq, sql, schema } = fresh
    const queue = docs({ key: 'k', serial: true })
    const first = await pgq.enqueue(queue, { doc: 1 }, { maxAttempts: how === 'rescue' ? 1 : 3 })
    const run = await running(fresh)
    const scheduledFor = new Date(Date.now() - 60_000)
    const next = await pgq.enqueue(queue, { doc: 1 }, { scheduledFor })
    expect(await claimable(fresh)).toEqual([])
    if (how === 'complete' || how === 'die') await run[how]()
    if (how === 'cancel') await pgq.cancel(first.id)
    if (how === 'delete by hand') await sql(`DELETE FROM ${schema}.jobs WHERE id = $1`, [first.id])
    if (how === 'cancel by hand')
      await sql(`UPDATE ${schema}.jobs SET status = 'cancelled' WHERE id = $1`, [first.id])
    if (how === 'delete') {
      await run.fail()
      await pgq.delete(first.id)
    }
    if (how === 'rescue') {
      await sql(`UPDATE ${schema}.workers SET lost_at = now()`)
      const worker = await stillWorker(fresh)
      await new WorkerStore(tablesIn(schema)).rescue(worker.database, 10)
    }
    expect(await claimable(fresh)).toEqual([next.id])
    expect(Math.abs(Number((await pgq.get(next.id))?.scheduledFor) - Date.now())).toBeLessThan(60_000)
    expect(await keys(fresh)).toMatchObject([{ job_id: next.id, behind_id: null }])
  },
)

test('serial within a period: the others of the period are left out, while the first runs and after it', async () => {
  const fresh = await freshQueue()
  const queue = docs({ fields: ['doc'], period: '1h', serial: true })
  const first = await fresh.pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  const leftOut = { id: first.id, deduplicated: true }
  expect(await fresh.pgq.enqueue(queue, { doc: 1 })).toEqual(leftOut)
  await run.complete()
  expect(await fresh.pgq.enqueue(queue, { doc: 1 })).toEqual(leftOut)
})

test('the job ahead counts again when the one that waited behind it is cancelled or deleted', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ key: 'k', serial: true })
  await pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  for (const end of ['cancel', 'delete'] as const) {
    const next = await pgq.enqueue(queue, { doc: 1 })
    expect(next.deduplicated).toBe(false)
    await pgq[end](next.id)
    expect(await keys(fresh)).toMatchObject([{ job_id: run.id, behind_id: null }])
  }
  const last = await pgq.enqueue(queue, { doc: 1 })
  expect(await claimable(fresh)).toEqual([])
  await run.complete()
  expect(await claimable(fresh)).toEqual([last.id])
})

test('a job of a key is not redriven while others of it live', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ key: 'k', serial: true })
  const first = await pgq.enqueue(queue, { doc: 1 })
  await (await running(fresh)).die()
  await pgq.enqueue(queue, { doc: 2 })
  const run = await running(fresh)
  expect(await pgq.redrive(first.id)).toBe(0)
  await run.complete()
  expect(await pgq.redrive(first.id)).toBe(1)
  expect(await claimable(fresh)).toEqual([first.id])
})

test('replace and debounce while a job runs: the new one waits behind it, and is itself replaced', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ key: 'k', onConflict: { debounce: '1ms', maxWait: '1h' } })
  await pgq.enqueue(queue, { doc: 1 }, { delay: 0 })
  const run = await running(fresh)
  const next = await pgq.enqueue(queue, { doc: 2 }, { delay: 0 })
  expect(await pgq.enqueue(queue, { doc: 3 }, { delay: 0 })).toEqual({
    id: next.id,
    deduplicated: true,
    replaced: true,
  })
  expect(await claimable(fresh)).toEqual([])
  await run.complete()
  expect(await running(fresh)).toMatchObject({ id: next.id, payload: { doc: 3 } })
})

test('without serial, and without processing among the statuses, jobs of a key may overlap', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ key: 'k', statuses: ['pending', 'failed'] })
  const first = await pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  const second = await pgq.enqueue(queue, { doc: 2 })
  expect(await claimable(fresh)).toEqual([second.id])
  await run.fail()
  expect(await claimable(fresh)).toEqual([first.id, second.id])
  expect(await pgq.enqueue(queue, { doc: 3 })).toEqual({ id: second.id, deduplicated: true })
})

/** A transaction of somebody who takes his time. */
async function transactionOf({ pool }: FreshQueue): Promise<pg.PoolClient> {
  const client = await pool.connect()
  await client.query('BEGIN')
  return client
}

test('while a transaction that has met a conflict is open, claims and settles go on, and its commit releases what it held up', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ fields: ['doc'], serial: true, onConflict: 'replace' })
  await pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  const next = await pgq.enqueue(queue, { doc: 1 })
  const client = await transactionOf(fresh)
  const replaced = await pgq.enqueue(queue, { doc: 1, text: 'new' }, { tx: client })
  expect(replaced).toEqual({ id: next.id, deduplicated: true, replaced: true })
  const other = await pgq.enqueue(queue, { doc: 2 })
  expect(await running(fresh)).toMatchObject({ id: other.id })
  await run.complete()
  expect(await pgq.get(run.id)).toMatchObject({ status: 'completed' })
  expect(await claimable(fresh)).toEqual([])
  await client.query('COMMIT')
  client.release()
  expect(await running(fresh)).toMatchObject({ id: next.id, payload: { doc: 1, text: 'new' } })
})

test('what such a transaction held up and then rolled back is released by the leader', async () => {
  const fresh = await freshQueue()
  const { pgq, schema } = fresh
  const queue = docs({ fields: ['doc'], serial: true, onConflict: 'replace' })
  await pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  const next = await pgq.enqueue(queue, { doc: 1 })
  const client = await transactionOf(fresh)
  await pgq.enqueue(queue, { doc: 1, text: 'new' }, { tx: client })
  await run.complete()
  await client.query('ROLLBACK')
  client.release()
  expect(await claimable(fresh)).toEqual([])
  const { database } = await stillWorker(fresh)
  const store = new KeyStore(tablesIn(schema))
  expect(await store.releaseUnblocked(database, 10)).toEqual({ freed: 1, last: undefined })
  expect(await store.releaseUnblocked(database, 10)).toEqual({ freed: 0, last: undefined })
  expect(await running(fresh)).toMatchObject({ id: next.id, payload: { doc: 1 } })
})

test('the leader looks at a bounded slice of the jobs that wait behind others, whatever statistics say', async () => {
  const fresh = await freshQueue()
  const { sql, schema, databaseUrl } = fresh
  await sql(`ANALYZE ${schema}.unique_keys, ${schema}.jobs_waiting`) // empty
  const many = 20_000
  await sql(`WITH ahead AS (
      INSERT INTO ${schema}.jobs_waiting (id, queue_name, status, unique_key, scheduled_for)
      SELECT ${schema}.uuidv7(), 'docs', 'failed', 'k' || n, now() + '1 h' FROM generate_series(1, ${many}) AS n RETURNING id, unique_key),
    behind AS (
      INSERT INTO ${schema}.jobs_waiting (id, queue_name, unique_key, scheduled_for)
      SELECT ${schema}.uuidv7(), 'docs', 'k' || n, now() + interval '43830000 hours' FROM generate_series(1, ${many}) AS n RETURNING id, unique_key)
    INSERT INTO ${schema}.unique_keys (queue_name, unique_key, job_id, behind_id)
    SELECT 'docs', unique_key, behind.id, ahead.id FROM ahead JOIN behind USING (unique_key)`)
  await sql(`INSERT INTO ${schema}.unique_keys (queue_name, unique_key, job_id)
    SELECT 'other', n, gen_random_uuid() FROM generate_series(1, ${many}) AS n`)
  // One of them is gone, and nobody was told.
  await sql(`ALTER TABLE ${schema}.jobs_waiting DISABLE TRIGGER USER`)
  await sql(`DELETE FROM ${schema}.jobs_waiting WHERE unique_key = 'k19000' AND status = 'failed'`)
  await sql(`ALTER TABLE ${schema}.jobs_waiting ENABLE TRIGGER USER`)
  const session = await openSession(databaseUrl)
  const store = new KeyStore(tablesIn(schema))
  const first = await store.releaseUnblocked(session, 1_000)
  expect(first).toMatchObject({ freed: 0, last: expect.any(String) })
  // Three probes for each, of three pages or so, and a few for the slice.
  expect(await pagesOf(session, `${schema}.release_unblocked('${first.last}', 1000)`)).toBeLessThan(12_000)
  let { last, freed } = first
  for (let looks = 1; last !== undefined && looks < 100; looks++) {
    const found = await store.releaseUnblocked(session, 1_000, last)
    last = found.last
    freed += found.freed
  }
  expect(freed).toBe(1)
  expect(last).toBeUndefined()
  expect(await pagesOf(session, `${schema}.delete_left_keys('', '', 1000)`)).toBeLessThan(12_000)
})

test('a job that waits is passed over by claims until the one who was deduplicated onto it has committed', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ fields: ['doc'], serial: true })
  const first = await pgq.enqueue(queue, { doc: 1 })
  const client = await transactionOf(fresh)
  expect(await pgq.enqueue(queue, { doc: 1 }, { tx: client })).toEqual({ id: first.id, deduplicated: true })
  const other = await pgq.enqueue(queue, { doc: 2 })
  expect(await running(fresh)).toMatchObject({ id: other.id })
  await client.query('COMMIT')
  client.release()
  expect(await running(fresh)).toMatchObject({ id: first.id })
})

test.each(['COMMIT', 'ROLLBACK'])('a job that ends while another is being put behind it: %s', async (end) => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ fields: ['doc'], serial: true })
  await pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  const client = await transactionOf(fresh)
  const next = await pgq.enqueue(queue, { doc: 1 }, { tx: client })
  expect(next.deduplicated).toBe(false)
  await run.complete()
  await client.query(end)
  client.release()
  const after = await pgq.enqueue(queue, { doc: 1 })
  expect(after.deduplicated).toBe(end === 'COMMIT')
  expect(await claimable(fresh)).toEqual([end === 'COMMIT' ? next.id : after.id])
})

test('explain names the job that another waits behind', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ key: 'k', serial: true })
  await pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  const next = await pgq.enqueue(queue, { doc: 1 })
  const [reason] = (await pgq.explain(next.id))?.reasons ?? []
  expect(reason).toEqual({ code: 'waits_behind', jobId: run.id, message: expect.stringContaining(run.id) })
  await run.complete()
  expect((await pgq.explain(next.id))?.reasons).not.toContainEqual(
    expect.objectContaining({ code: 'waits_behind' }),
  )
})

/** How many pages a call of a function touches. */
async function pagesOf({ client }: TestSession, call: string): Promise<number> {
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM ${call}`)
  const { Plan: plan } = rows[0]['QUERY PLAN'][0]
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
}
