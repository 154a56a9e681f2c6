import { expect, test } from 'vitest'
import type * as source from '../src/index.ts'
import { CancelJob, DeadJob, defineQueue, handle, RetryJob, SnoozeJob } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq, sql, schema } = await freshQueue()

const dueInMs = async (id: string): Promise<number> => {
  const [row] = await sql(
    `SELECT date_part('epoch', scheduled_for - clock_timestamp()) * 1000 AS ms FROM ${schema}.jobs WHERE id = $1`,
    [id],
  )
  return row.ms
}

/** Runs one job whose handler throws what is given, until its first attempt is settled. */
async function throwOnce(name: string, thrown: unknown): Promise<string> {
  const queue = defineQueue(name)
  await work(pgq, [handle(queue, () => Promise.reject(thrown))], { maintenance: false })
  const { id } = await pgq.enqueue(queue, null)
  await until('the attempt is settled', async () => {
    const job = await pgq.get(id)
    return job && job.fence > 0 && job.status !== 'processing'
  })
  return id
}

test('SnoozeJob puts the job off and gives its attempt back', async () => {
  const snoozed = collect(pgq, 'job.snoozed')
  const id = await throwOnce('snooze', new SnoozeJob('5m'))
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0, errors: [], error: null })
  const due = await dueInMs(id)
  expect(due).toBeGreaterThan(290_000)
  expect(due).toBeLessThanOrEqual(300_000)
  await until('it is told', () => snoozed.length === 1)
  expect(snoozed[0]).toMatchObject({ delayMs: 300_000, job: { id, attempt: 1 } })
})

test('a job may be snoozed more often than it may be attempted', async () => {
  const queue = defineQueue('snooze.often', { maxAttempts: 1 })
  const attempts: number[] = []
  const done = collect(pgq, 'job.completed')
  const handler = handle(queue, (job) => {
    attempts.push(job.attempt)
    if (attempts.length < 6) throw new SnoozeJob(1)
  })
  await work(pgq, [handler], { pollInterval: 20 })
  await pgq.enqueue(queue, null)
  await until('it is done', () => done.length === 1)
  expect(attempts).toEqual([1, 1, 1, 1, 1, 1])
  expect(done[0]?.job.fence).toBe(11) // a claim and a settle each time, and the last claim
})

test('CancelJob stops the job for good, and that is no failure', async () => {
  const id = await throwOnce('cancel', new CancelJob('the customer is gone'))
  expect(await pgq.get(id)).toMatchObject({
    status: 'cancelled',
    attempts: 1,
    error: 'the customer is gone',
    completedAt: expect.any(Date),
  })
})

test('DeadJob gives the job up at once, with its reason and cause on record', async () => {
  const cause = new TypeError('not a number')
  const id = await throwOnce('dead', new DeadJob('the input is wrong', { cause }))
  const job = await pgq.get(id)
  expect(job).toMatchObject({ status: 'dead', attempts: 1, error: 'the input is wrong' })
  expect(job?.errors[0]?.stack).toContain('Caused by: TypeError: not a number')
})

test('RetryJob fails the attempt and says when the next one is due', async () => {
  const id = await throwOnce('retry', new RetryJob({ after: '90s', reason: 'the API asks for a pause' }))
  expect(await pgq.get(id)).toMatchObject({
    status: 'failed',
    attempts: 1,
    error: 'the API asks for a pause',
  })
  const due = await dueInMs(id)
  expect(due).toBeGreaterThan(80_000)
  expect(due).toBeLessThanOrEqual(90_000)
})

test('RetryJob thrown by the last attempt makes the job dead', async () => {
  const queue = defineQueue('retry.last', { maxAttempts: 1 })
  const dead = collect(pgq, 'job.dead')
  await work(pgq, [handle(queue, () => Promise.reject(new RetryJob({ after: 0 })))])
  const { id } = await pgq.enqueue(queue, null)
  await until('it is dead', () => dead.length === 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'dead', attempts: 1 })
})

test('endings are recognised when they come from a second copy of the package', async () => {
  // The built package is another copy: its classes are not ours.
  const built = new URL('../dist/index.js', import.meta.url).href
  const copy = (await import(built)) as typeof source
  expect(copy.SnoozeJob).not.toBe(SnoozeJob)
  const endings: [string, Error, string][] = [
    ['copy.snooze', new copy.SnoozeJob('1h'), 'pending'],
    ['copy.cancel', new copy.CancelJob(), 'cancelled'],
    ['copy.dead', new copy.DeadJob(), 'dead'],
    ['copy.retry', new copy.RetryJob({ after: '1h' }), 'failed'],
  ]
  for (const [name, ending, status] of endings) {
    const id = await throwOnce(name, ending)
    expect(await pgq.get(id), name).toMatchObject({ status })
  }
})

test('a brand that this version does not understand is an ordinary failure', async () => {
  const brand = Symbol.for('pgq.ending')
  const strange = [true, null, {}, { kind: 'of a later version' }, { kind: 'snooze' }, { kind: 'retry' }]
  for (const [i, ending] of strange.entries()) {
    const id = await throwOnce(`strange.${i}`, Object.assign(new Error('strange'), { [brand]: ending }))
    expect(await pgq.get(id), JSON.stringify(ending)).toMatchObject({ status: 'failed', error: 'strange' })
  }
})
