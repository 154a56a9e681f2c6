// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the value
import { expect, test } from 'vitest'
import { defineQueue, type JobStatus } from '../src/index.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { HistoryStore } from '../src/store/history-store.ts'
import { PgDatabase } from '../src/store/pg-database.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { stillWorker } from './support/held-jobs.ts'

const queue = defineQueue('mail')

/** A job in the given status, as the package itself would have left it there. */
async function jobIn(fresh: FreshQueue, status: JobStatus): Promise<string> {
  const { pgq } = fresh
  const { id } = await pgq.enqueue(queue, 1, { maxAttempts: 2 })
  if (status === 'pending') return id
  if (status === 'cancelled') {
    await pgq.cancel(id)
    return id
  }
  const worker = await stillWorker(fresh)
  const [job] = await worker.claim('mail')
  const claim = worker.held(job)
  const error = { name: 'Error', message: 'no' }
  if (status === 'completed')
    await worker.store.settleCompleted(worker.database, [{ ...claim, result: { json: '7' } }])
  if (status === 'dead') await worker.store.settleEnded(worker.database, [{ ...claim, status, error }])
  if (status === 'failed')
    await worker.store.settleWaiting(worker.database, [{ ...claim, status, delayMs: 3_600_000, error }])
  return id
}

const partitionOf: { readonly [Status in JobStatus]: RegExp } = {
  pending: /^jobs_waiting$/,
  processing: /^jobs_processing$/,
  failed: /^jobs_waiting$/,
  completed: /^jobs_completed_20\d{6}$/,
  dead: /^jobs_dead$/,
  cancelled: /^jobs_dead$/,
}
const STATUSES = Object.keys(partitionOf) as JobStatus[]
const ENDED: readonly JobStatus[] = ['completed', 'dead', 'cancelled']
const changes = STATUSES.flatMap((from) =>
  STATUSES.filter((to) => to !== from && from !== 'completed').map((to) => [from, to] as const),
)

test('a completed job stays completed: by hand as well', async () => {
  const fresh = await freshQueue()
  const id = await jobIn(fresh, 'completed')
  for (const to of STATUSES.filter((status) => status !== 'completed'))
    await expect(
      fresh.sql(`UPDATE ${fresh.schema}.jobs SET status = $2 WHERE id = $1`, [id, to]),
      to,
    ).rejects.toMatchObject({ code: '23514', hint: expect.stringContaining('enqueue the job again') })
  expect(await fresh.pgq.get(id)).toMatchObject({ status: 'completed' })
})

test('every change of status by hand fences the holder off and leaves a sound row in the right partition', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  for (const [from, to] of changes) {
    const what = `${from} → ${to}`
    const id = await jobIn(fresh, from)
    const before = await pgq.get(id)
    expect(before?.status, what).toBe(from)
    const [row] = await sql(
      `UPDATE ${schema}.jobs SET status = $2 WHERE id = $1 AND status = $3 RETURNING tableoid::regclass::text AS partition`,
      [id, to, from],
    )
    expect(row.partition.replace(`${schema}.`, ''), what).toMatch(partitionOf[to])
    const after = await pgq.get(id)
    expect(after, what).toMatchObject({ status: to, fence: (before?.fence ?? 0) + 1 })
    if (to !== 'processing') expect(after?.lockedBy, what).toBeNull()
    expect(after?.completedAt === null, what).toBe(!ENDED.includes(to))
    const startsAnew = ENDED.includes(from) && !ENDED.includes(to)
    if (startsAnew) {
      expect(after?.attempts, what).toBe(0)
      expect(Number(after?.scheduledFor), what).toBeGreaterThan(Number(before?.scheduledFor))
    } else expect(after?.attempts, what).toBe(before?.attempts)
    await sql(`DELETE FROM ${schema}.jobs WHERE id = $1`, [id])
    expect(await pgq.get(id), what).toBeNull()
  }
})

test('a job that waits again by hand always has an attempt left', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  for (const to of ['pending', 'failed'] as const) {
    const { id } = await pgq.enqueue(queue, 1, { maxAttempts: 1 })
    await (await stillWorker(fresh)).claim('mail')
    await sql(`UPDATE ${schema}.jobs SET status = $2 WHERE id = $1`, [id, to])
    expect(await pgq.get(id)).toMatchObject({ status: to, attempts: 0 })
    await sql(`DELETE FROM ${schema}.jobs`)
  }
})

test('a time and attempts that are given with the change stand', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const id = await jobIn(fresh, 'dead')
  await sql(
    `UPDATE ${schema}.jobs SET status = 'pending', scheduled_for = '2031-01-01Z', attempts = 5, max_attempts = 9 WHERE id = $1`,
    [id],
  )
  expect(await pgq.get(id)).toMatchObject({ attempts: 5, scheduledFor: new Date('2031-01-01Z') })
  const done = await jobIn(fresh, 'pending')
  await sql(`UPDATE ${schema}.jobs SET status = 'completed', completed_at = '2020-05-05Z' WHERE id = $1`, [
    done,
  ])
  expect(await pgq.get(done)).toMatchObject({ completedAt: new Date('2020-05-05Z') })
})

test('a dead job that is moved back by hand waits to be claimed like a redriven one', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const [byHand, byCall] = [await jobIn(fresh, 'dead'), await jobIn(fresh, 'dead')]
  await sql(`UPDATE ${schema}.jobs SET progress = '1', crashes = 1`)
  await sql(`UPDATE ${schema}.jobs SET status = 'pending' WHERE id = $1`, [byHand])
  await pgq.redrive(byCall)
  const columns = `SELECT status, attempts, crashes, fence, locked_by, completed_at, progress, error FROM ${schema}.jobs WHERE id = $1`
  expect(await sql(columns, [byHand])).toEqual(await sql(columns, [byCall]))
  expect(await (await stillWorker(fresh)).claim('mail')).toHaveLength(2)
})

test('a job that is cancelled by hand is like one that is cancelled by a call', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const [byHand, byCall] = [await jobIn(fresh, 'processing'), await jobIn(fresh, 'processing')]
  await sql(`UPDATE ${schema}.jobs SET status = 'cancelled' WHERE id = $1`, [byHand])
  await pgq.cancel(byCall)
  const columns = `SELECT status, attempts, crashes, fence, locked_by, progress, errors FROM ${schema}.jobs WHERE id = $1`
  expect(await sql(columns, [byHand])).toEqual(await sql(columns, [byCall]))
})

test('whatever a fenced-off holder still writes is not accepted', async () => {
  const fresh = await freshQueue()
  const { sql, schema } = fresh
  const worker = await stillWorker(fresh)
  for (const change of [
    `status = 'pending'`,
    `status = 'cancelled'`,
    `status = 'failed'`,
    `status = 'completed'`,
  ]) {
    await fresh.pgq.enqueue(queue, 1)
    const [job] = await worker.claim('mail')
    const claim = worker.held(job)
    await sql(`UPDATE ${schema}.jobs SET ${change}`)
    const error = { name: 'Error', message: 'late' }
    const { store, database } = worker
    expect([...(await store.settleCompleted(database, [{ ...claim, result: { json: '"late"' } }]))]).toEqual(
      [],
    )
    expect([...(await store.settleEnded(database, [{ ...claim, status: 'dead', error }]))]).toEqual([])
    expect([
      ...(await store.settleWaiting(database, [{ ...claim, status: 'failed', delayMs: 0, error }])),
    ]).toEqual([])
    expect(await store.storeProgress(database, claim, '1')).toBe(false)
    expect(
      await sql(
        `SELECT count(*)::int AS n FROM ${schema}.jobs WHERE result IS NOT NULL OR progress IS NOT NULL OR error LIKE '%late%'`,
      ),
    ).toEqual([{ n: 0 }])
    await sql(`DELETE FROM ${schema}.jobs`)
  }
})

test.each([
  ['moved away', `UPDATE % SET status = 'cancelled'`, 'cancelled'],
  ['released', `UPDATE % SET status = 'pending'`, 'pending'],
  ['deleted', 'DELETE FROM %', undefined],
])(
  'a job that is being %s by hand is passed over by a settle, and is lost to it after',
  async (_what, change, status) => {
    const fresh = await freshQueue()
    const { pool, schema, pgq } = fresh
    const { id } = await pgq.enqueue(queue, 1)
    const worker = await stillWorker(fresh)
    const [job] = await worker.claim('mail')
    const hand = await pool.connect()
    await hand.query('BEGIN')
    await hand.query(change.replace('%', `${schema}.jobs`))
    const settle = async (): Promise<string[]> => [
      ...(await worker.store.settleCompleted(worker.database, [
        { ...worker.held(job), result: { json: '1' } },
      ])),
    ]
    // Nothing waits for the person: the claim is passed over, and still stands.
    expect(await settle()).toEqual([])
    expect(await worker.store.findLost(worker.database, [worker.held(job)])).toEqual([])
    await hand.query('COMMIT')
    hand.release()
    expect(await settle()).toEqual([])
    expect(await worker.store.findLost(worker.database, [worker.held(job)])).toHaveLength(1)
    expect((await pgq.get(id))?.status).toBe(status)
  },
)

test('what has no status of its own, a status is refused, and nothing changes', async () => {
  const fresh = await freshQueue()
  const id = await jobIn(fresh, 'pending')
  await expect(fresh.sql(`UPDATE ${fresh.schema}.jobs SET status = 'done'`)).rejects.toMatchObject({
    code: '23514',
  })
  await expect(
    fresh.sql(`INSERT INTO ${fresh.schema}.jobs (queue_name, status) VALUES ('mail', 'done')`),
  ).rejects.toMatchObject({ code: '23514' })
  expect(await fresh.pgq.get(id)).toMatchObject({ status: 'pending', fence: 0 })
})

test('a column that holds nonsense by hand stops neither its own job nor others', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const worker = await stillWorker(fresh)
  const nonsense = [
    `errors = '{}'`,
    `errors = '"x"'`,
    `errors = 'null'`,
    `backoff = '[1]'`,
    `metadata = '5'`,
    `progress = '{}'`,
  ]
  for (const change of nonsense) {
    const refusal = await (async () => {
      const { id } = await pgq.enqueue(queue, 1)
      await pgq.enqueue(queue, 2)
      return sql(`UPDATE ${schema}.jobs SET ${change} WHERE id = $1`, [id]).catch((error: unknown) => error)
    })()
    // Either the database refuses it on the spot, or everything goes on with it.
    if (!(refusal instanceof Error)) {
      const jobs = await worker.claim('mail')
      expect(jobs, change).toHaveLength(2)
      const error = { name: 'Error', message: 'no' }
      const settled = await worker.store.settleEnded(
        worker.database,
        jobs.map((job) => ({ ...worker.held(job), status: 'dead' as const, error })),
      )
      expect(settled.size, change).toBe(2)
      for (const job of jobs) expect((await pgq.get(job.id))?.errors, change).toBeInstanceOf(Array)
    }
    await sql(`DELETE FROM ${schema}.jobs`)
  }
})

test('a job that ended by hand without a time still reaches the end of its retention', async () => {
  const { sql, schema, pool } = await freshQueue()
  for (const age of ['1 day', '40 days'])
    await sql(
      `INSERT INTO ${schema}.jobs (queue_name, status, created_at)
       SELECT 'mail', status, now() - $1::interval FROM unnest(ARRAY['completed', 'dead', 'cancelled']) AS status`,
      [age],
    )
  const database = new PgDatabase({ pool, schema, ours: false })
  const keep = { completedMs: 7 * 86_400_000, deadMs: 30 * 86_400_000 }
  expect(await new HistoryStore(tablesIn(schema)).deleteExpired(database, keep, 100)).toBe(3)
  expect(await sql(`SELECT count(*)::int AS left FROM ${schema}.jobs`)).toEqual([{ left: 3 }])
})
