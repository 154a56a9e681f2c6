import { randomInt } from 'node:crypto'
import pg from 'pg'
import { expect, test, vi } from 'vitest'
import { createPgq, defineQueue, isPgqError } from '../src/index.ts'
import type { Claim } from '../src/sql/held-claims.ts'
import { cleanUpAfterwards } from '@pgq/test-support'
import { ownDatabase } from './support/own-database.ts'
import { openSession, registerWorker, storesOf } from './support/session.ts'

vi.setConfig({ testTimeout: 600_000 })

/** How many batches each writer writes. */
const ROUNDS = Number(process.env['PGQ_OVERLAP_ROUNDS'] ?? 25)
const JOBS = 120

// A database of its own: the server counts deadlocks by database. They are looked for after 10 ms, and not after a second.
const databaseUrl = await ownDatabase({ deadlock_timeout: '10ms' })
const pool = new pg.Pool({ connectionString: databaseUrl, max: 12 })
const pgq = createPgq({ pool, schema: 'overlap' })
cleanUpAfterwards(async () => {
  await pgq.close()
  await pool.end()
})
await pgq.migrate()
const queue = defineQueue('overlapping', { maxAttempts: 1_000 })
const { jobs, workers } = storesOf('overlap')

const ids: string[] = []
let enqueued = 0
let deleted = 0

const countDeleted = (gone: number): void => void (deleted += gone)

/** Some of the jobs that there have ever been, in no order. */
const some = (): string[] =>
  Array.from({ length: 40 }, () => ids[randomInt(ids.length)] as string).filter(
    (id, i, all) => all.indexOf(id) === i,
  )

async function enqueue(): Promise<void> {
  const results = await pgq.enqueueMany(
    queue,
    Array.from({ length: 10 }, (_, n) => n),
  )
  enqueued += results.length
  ids.push(...results.map(({ id }) => id))
}

/** Keys that overlap, taken in one order by one and in another by the other. */
async function enqueueKeyed(): Promise<void> {
  const keys = Array.from({ length: 5 }, () => `key ${randomInt(12)}`)
  const written = keys.map((unique_key) => ({
    id: crypto.randomUUID(),
    queue: queue.name,
    payload: 1,
    priority: 0,
    max_attempts: 3,
    unique_key,
  }))
  const text = 'SELECT count(*)::int AS there FROM overlap.enqueue_many($1::text::jsonb)'
  const { rows } = await pool.query(text, [JSON.stringify(written)])
  enqueued += keys.length - rows[0].there
}

/** A worker that claims batches and settles them as it likes, in no order, each claim several times. */
async function settler(): Promise<() => Promise<void>> {
  const session = await openSession(databaseUrl)
  let workerId = await registerWorker(session, workers)
  let held: Claim[] = []
  const error = { name: 'Error', message: 'no' }
  return async () => {
    const wanted = [{ queue: queue.name, limit: 40, floor: undefined }]
    const claimed = await jobs.claim(session, { workerId, wanted })
    held = [...held, ...claimed.map(({ id, fence }) => ({ id, fence, workerId }))].slice(-200)
    const batch = held.filter(() => randomInt(3) > 0).toSorted(() => Math.random() - 0.5)
    for (const claim of batch.slice(0, 3)) await jobs.storeProgress(session, claim, '50')
    const third = Math.ceil(batch.length / 3)
    await jobs.settleWaiting(
      session,
      batch.slice(0, 2 * third).map((claim) => ({ ...claim, status: 'failed', delayMs: 0, error })),
    )
    await jobs.settleEnded(
      session,
      batch.slice(third).map((claim) => ({ ...claim, status: 'dead', error })),
    )
    await jobs.settleCompleted(
      session,
      batch.filter(() => randomInt(20) === 0).map((claim) => ({ ...claim, result: { json: '1' } })),
    )
    if (randomInt(3) === 0)
      await jobs.releaseStrays(
        session,
        workerId,
        batch.slice(0, 5).map(({ id }) => id),
      )
    if (randomInt(4) > 0) return
    await session.run(
      {
        name: 'lose',
        text: 'UPDATE overlap.workers SET lost_at = now() WHERE id = $1',
        values: () => [workerId],
      },
      undefined,
    )
    workerId = await registerWorker(session, workers)
  }
}

async function rescuer(): Promise<() => Promise<void>> {
  const session = await openSession(databaseUrl)
  return async () => {
    await workers.rescue(session, 30)
    await workers.adoptOrphans(session)
  }
}

test('writers of overlapping batches in any order never lock each other out, and lose no job', async () => {
  while (ids.length < JOBS) await enqueue()
  const writers: (() => Promise<unknown>)[] = [
    ...(await Promise.all([settler(), settler(), settler(), rescuer(), rescuer()])),
    enqueue,
    enqueueKeyed,
    enqueueKeyed,
    () => pgq.cancel(some()),
    () => pgq.cancel({ queue, status: 'processing' }),
    () => pgq.retry(some()),
    () => pgq.redrive({ queue }),
    () => pgq.redrive(some()),
    () => pgq.delete(some().slice(0, 5)).then(countDeleted),
    () => pgq.delete({ queue, status: ['completed'] }).then(countDeleted),
  ]
  const refused: unknown[] = []
  await Promise.all(
    writers.map(async (write) => {
      for (let round = 0; round < ROUNDS; round++) {
        await write().catch((error: unknown) => {
          // So many at once may find no end of rows that move; a deadlock is no such case.
          if (!isPgqError(error, 'DATABASE_CONFLICT') || error.sqlState === '40P01') refused.push(error)
        })
      }
    }),
  )
  expect(refused).toEqual([])
  const [stats] = (
    await pool.query(`SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`)
  ).rows
  expect(stats.deadlocks).toBe(0)
  const counts = await pgq.counts()
  expect(counts.reduce((sum, count) => sum + count.jobs, 0)).toBe(enqueued - deleted)
})
