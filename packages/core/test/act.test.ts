import { describe, expect, test } from 'vitest'
import { defineQueue, type JobTarget, type Pgq } from '../src/index.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { stillWorker } from './support/held-jobs.ts'

const mail = defineQueue('mail')
const ERROR = { name: 'Error', message: 'no' }
const CALLS = ['cancel', 'retry', 'redrive', 'delete'] as const

/** One job in each status that a job gets into by itself. */
async function oneOfEach(fresh: FreshQueue) {
  const { pgq } = fresh
  const worker = await stillWorker(fresh)
  const { store, database } = worker
  await pgq.enqueueMany(mail, ['completed', 'dead', 'failed', 'processing'])
  const jobs = await worker.claim('mail')
  const claimOf = (payload: string) => worker.held(jobs.find((job) => job.payload === payload))
  await store.settleCompleted(database, [{ ...claimOf('completed'), result: { json: null } }])
  await store.settleEnded(database, [{ ...claimOf('dead'), status: 'dead', error: ERROR }])
  await store.settleWaiting(database, [
    { ...claimOf('failed'), status: 'failed', delayMs: 9e6, error: ERROR },
  ])
  const pending = await pgq.enqueue(mail, 'pending', { delay: '1h' })
  const cancelled = await pgq.enqueue(mail, 'cancelled')
  await pgq.cancel(cancelled.id)
  const ids = {
    completed: claimOf('completed').id,
    dead: claimOf('dead').id,
    failed: claimOf('failed').id,
    processing: claimOf('processing').id,
    pending: pending.id,
    cancelled: cancelled.id,
  }
  return { worker, ids, all: Object.values(ids), running: claimOf('processing') }
}

const statuses = async (pgq: Pgq): Promise<Record<string, string>> =>
  Object.fromEntries((await pgq.list()).jobs.map((job) => [String(job.payload), job.status]))
const untouched = {
  completed: 'completed',
  dead: 'dead',
  failed: 'failed',
  processing: 'processing',
  pending: 'pending',
  cancelled: 'cancelled',
}

/** What each call makes of each status; undefined for a job that is gone. */
const EFFECTS = {
  cancel: { failed: 'cancelled', processing: 'cancelled', pending: 'cancelled' },
  retry: { dead: 'pending', cancelled: 'pending', pending: 'pending', failed: 'failed' },
  redrive: { dead: 'pending' },
  delete: {
    completed: undefined,
    dead: undefined,
    failed: undefined,
    pending: undefined,
    cancelled: undefined,
  },
}

describe.each(CALLS)('%s', (call) => {
  const effect = EFFECTS[call] as Record<string, string | undefined>
  const changed = Object.keys(effect).length
  const expected = Object.fromEntries(
    Object.entries({ ...untouched, ...effect }).filter(([, status]) => status !== undefined),
  )

  test('with ids changes those it is for, and tells how many', async () => {
    const fresh = await freshQueue()
    const { all } = await oneOfEach(fresh)
    expect(await fresh.pgq[call](all)).toBe(changed)
    expect(await statuses(fresh.pgq)).toEqual(expected)
  })

  test('with a filter changes the same jobs', async () => {
    const fresh = await freshQueue()
    await oneOfEach(fresh)
    expect(await fresh.pgq[call]({ queue: mail })).toBe(changed)
    expect(await statuses(fresh.pgq)).toEqual(expected)
  })

  test('with one id changes one job', async () => {
    const fresh = await freshQueue()
    const { ids } = await oneOfEach(fresh)
    for (const [status, id] of Object.entries(ids))
      expect(await fresh.pgq[call](id), status).toBe(status in effect ? 1 : 0)
  })

  test('with no ids, unknown ids or ids twice changes what is there, once', async () => {
    const fresh = await freshQueue()
    const { ids } = await oneOfEach(fresh)
    const id = call === 'cancel' ? ids.pending : ids.dead
    expect(await fresh.pgq[call]([])).toBe(0)
    expect(await fresh.pgq[call]('01890000-0000-7000-8000-000000000000')).toBe(0)
    expect(await fresh.pgq[call]([id, id.toUpperCase(), id])).toBe(1)
  })

  test('refuses what is no target, always by a rejected promise', async () => {
    const { pgq } = await freshQueue()
    for (const [code, target] of [
      ['INVALID_OPTION', undefined],
      ['INVALID_OPTION', null],
      ['INVALID_OPTION', 5],
      ['INVALID_ID', 'x'],
      ['INVALID_ID', ['x']],
      ['INVALID_ID', [5]],
      ['INVALID_OPTION', { satus: 'dead' }],
      ['INVALID_OPTION', { status: 'gone' }],
      ['INVALID_OPTION', { ids: [] }],
    ]) {
      // Not in an async function: a caller's .catch() would never see what is thrown at once.
      const answer = pgq[call](target as unknown as JobTarget)
      await expect(answer, JSON.stringify(target)).rejects.toMatchObject({ code })
    }
  })

  test('takes more jobs than go into one statement', async () => {
    const { pgq, sql, schema } = await freshQueue()
    const results = await pgq.enqueueMany(
      mail,
      Array.from({ length: 2_500 }, (_, n) => n),
      { delay: '1h' },
    )
    if (call === 'redrive') await sql(`UPDATE ${schema}.jobs SET status = 'dead'`)
    expect(await pgq[call]({ queue: mail })).toBe(2_500)
    if (call === 'delete') return
    if (call === 'redrive') await sql(`UPDATE ${schema}.jobs SET status = 'dead'`)
    if (call === 'cancel') await sql(`UPDATE ${schema}.jobs SET status = 'pending'`)
    expect(await pgq[call](results.map(({ id }) => id))).toBe(2_500)
  })
})

test('cancel fences the running attempt off and says why', async () => {
  const fresh = await freshQueue()
  const { ids, worker, running } = await oneOfEach(fresh)
  await fresh.pgq.cancel(ids.processing)
  expect([
    ...(await worker.store.settleCompleted(worker.database, [{ ...running, result: { json: '1' } }])),
  ]).toEqual([])
  expect(await fresh.pgq.get(ids.processing)).toMatchObject({
    status: 'cancelled',
    fence: running.fence + 1,
    lockedBy: null,
    completedAt: expect.any(Date),
    error: expect.stringContaining('cancelled'),
    attempts: 1,
  })
})

test('retry makes waiting jobs due now and leaves their attempts as they are', async () => {
  const fresh = await freshQueue()
  const { ids, worker } = await oneOfEach(fresh)
  await fresh.pgq.retry([ids.failed, ids.pending])
  expect(await fresh.pgq.get(ids.failed)).toMatchObject({ attempts: 1 })
  const claimed = await worker.claim('mail')
  expect(new Set(claimed.map((job) => job.payload))).toEqual(new Set(['failed', 'pending']))
})

test('redrive gives all attempts back and keeps what went wrong', async () => {
  const fresh = await freshQueue()
  const { ids, worker } = await oneOfEach(fresh)
  const before = await fresh.pgq.get(ids.dead)
  await fresh.pgq.redrive(ids.dead)
  expect(await fresh.pgq.get(ids.dead)).toMatchObject({
    status: 'pending',
    attempts: 0,
    fence: (before?.fence ?? 0) + 1,
    completedAt: null,
    errors: before?.errors,
  })
  expect(await worker.claim('mail')).toMatchObject([{ id: ids.dead, attempt: 1 }])
})

test('delete with an empty filter is refused: it would mean every job', async () => {
  const { pgq } = await freshQueue()
  for (const filter of [{}, { queue: undefined } as never])
    await expect(pgq.delete(filter)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})

test('a status that a call does nothing to is refused, since the answer 0 would hide the mistake', async () => {
  const { pgq } = await freshQueue()
  await expect(pgq.cancel({ status: 'dead' })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(pgq.retry({ status: 'processing' })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(pgq.redrive({ status: 'cancelled' })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(pgq.delete({ status: ['dead', 'processing'] })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  })
})
