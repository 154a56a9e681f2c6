import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { work } from '@pgq/test-support'

const count = (jobs: number, isMore = false) => ({ jobs, isMore })
const NOTHING = {
  due: count(0),
  delayed: count(0),
  failed: 0,
  processing: 0,
  dead: count(0),
  cancelled: count(0),
  oldestDueMs: null,
  pausedAt: null,
  pausedReason: null,
  workers: 0,
}

test('queues() shows what every queue holds that has not been completed', async () => {
  const { pgq, sql, schema } = await freshQueue()
  expect(await pgq.queues()).toEqual([])
  const mails = defineQueue('mails')
  await work(pgq, [handle(defineQueue('idle'), () => {})], { maintenance: false })
  await pgq.pause('mails', { reason: 'audit' })
  await pgq.enqueueMany(mails, [1, 2, 3])
  await pgq.enqueue(mails, 4, { priority: 7, group: 'acme' })
  await pgq.enqueue(mails, 5, { delay: '1h', group: 'acme' })
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, scheduled_for)
     SELECT 'mails', 'failed', now() + minutes * interval '1 min' FROM unnest('{-1,5}'::integer[]) AS minutes`,
  )
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at)
     SELECT 'sms', status, now() FROM unnest('{dead,dead,cancelled,completed,processing}'::text[]) AS status`,
  )
  const [idle, held, sms, ...others] = await pgq.queues()
  expect(others).toEqual([])
  expect(idle).toEqual({ ...NOTHING, queue: 'idle', workers: 1 })
  expect(sms).toEqual({ ...NOTHING, queue: 'sms', processing: 1, dead: count(2), cancelled: count(1) })
  expect(held).toEqual({
    ...NOTHING,
    queue: 'mails',
    due: count(5),
    delayed: count(2),
    failed: 1,
    oldestDueMs: expect.any(Number),
    pausedAt: expect.any(Date),
    pausedReason: 'audit',
  })
  expect(held?.oldestDueMs).toBeGreaterThanOrEqual(60_000)
})

test('queues() counts up to 10,000, and says when there are more', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'q' FROM generate_series(1, 10000)`)
  expect(await pgq.queues()).toMatchObject([{ queue: 'q', due: count(10_000) }])
  await sql(`INSERT INTO ${schema}.jobs (queue_name) VALUES ('q')`)
  expect(await pgq.queues()).toMatchObject([{ queue: 'q', due: count(10_000, true) }])
})

test('counts() takes every condition of a filter', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const mails = defineQueue('mails')
  await pgq.enqueueMany(mails, [{ to: 'ada' }, { to: 'ada' }, { to: 'bob' }])
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, error, created_at) VALUES ('mails', 'dead', 'No Route', now() - interval '2 d')`,
  )
  expect(await pgq.counts({ payload: { to: 'ada' } })).toEqual([
    { queue: 'mails', status: 'pending', jobs: 2 },
  ])
  expect(await pgq.counts({ error: 'no route' })).toEqual([{ queue: 'mails', status: 'dead', jobs: 1 }])
  expect(await pgq.counts({ createdAfter: new Date(Date.now() - 86_400_000) })).toEqual([
    { queue: 'mails', status: 'pending', jobs: 3 },
  ])
  // @ts-expect-error -- a slip of the pen must not count everything
  await expect(pgq.counts({ stat: 'dead' })).rejects.toThrow(/stat/)
})

test('control calls tell after each batch how many jobs they have changed, and end when the listener throws', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'q' FROM generate_series(1, 2500)`)
  const enough = new Error('enough')
  const stop = (): never => {
    throw enough
  }
  await expect(pgq.cancel({ queue: 'q' }, { onProgress: stop })).rejects.toBe(enough)
  expect(await pgq.counts()).toMatchObject([
    { status: 'cancelled', jobs: 1_000 },
    { status: 'pending', jobs: 1_500 },
  ])
  const seen: number[] = []
  const onProgress = (changed: number): void => void seen.push(changed)
  expect(await pgq.delete({ queue: 'q' }, { onProgress })).toBe(2_500)
  expect(seen).toEqual([1_000, 2_000, 2_500])
  for (const call of ['retry', 'redrive'] as const)
    await expect(pgq[call]('x', { onProgress: 1 as never })).rejects.toThrow(/onProgress/)
})
