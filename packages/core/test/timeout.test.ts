import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { defineQueue, fixed, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { latch, until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq } = await freshQueue()

test('at its timeout a handler is told by its signal, with JOB_TIMEOUT as the reason', async () => {
  const queue = defineQueue('told', { timeout: '80ms', maxAttempts: 1 })
  const reasons: unknown[] = []
  const dead = collect(pgq, 'job.dead')
  const handler = handle(queue, async (_, { signal }) => {
    signal.addEventListener('abort', () => reasons.push(signal.reason))
    await sleep(20_000, undefined, { signal })
  })
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, null)
  await until('it is dead', () => dead.length === 1)
  expect(reasons).toMatchObject([{ name: 'PgqError', code: 'JOB_TIMEOUT' }])
  const job = await pgq.get(id)
  // The handler threw an AbortError; the record says why.
  expect(job).toMatchObject({ status: 'dead', attempts: 1, error: expect.stringContaining('80 ms') })
  expect(dead[0]?.durationMs).toBeGreaterThanOrEqual(75)
  expect(dead[0]?.durationMs).toBeLessThan(4_000)
})

test('a signal that is first looked at after the timeout has aborted already', async () => {
  const queue = defineQueue('late.look', { timeout: '30ms' })
  const aborted: boolean[] = []
  const done = collect(pgq, 'job.completed')
  const handler = handle(queue, async (_, ctx) => {
    await sleep(120)
    aborted.push(ctx.signal.aborted)
  })
  await work(pgq, [handler])
  await pgq.enqueue(queue, null)
  await until('it is done', () => done.length === 1)
  expect(aborted).toEqual([true])
})

test('a handler that succeeds within the grace after its timeout has succeeded', async () => {
  const queue = defineQueue('in.time', { timeout: '30ms' })
  const done = collect(pgq, 'job.completed')
  const stuck = collect(pgq, 'job.stuck')
  const handler = handle(queue, async () => {
    await sleep(300)
    return 'just in time'
  })
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, null)
  await until('it is done', () => done.length === 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', result: 'just in time', errors: [] })
  expect(stuck).toEqual([])
})

test('the timeout of one job goes before that of its queue', async () => {
  const queue = defineQueue('own.timeout', { timeout: '1h', maxAttempts: 1 })
  const dead = collect(pgq, 'job.dead')
  await work(pgq, [handle(queue, (_, { signal }) => sleep(20_000, undefined, { signal }))])
  await pgq.enqueue(queue, null, { timeout: 50 })
  await until('it is dead', () => dead.length === 1)
  expect(dead[0]?.error.message).toContain('50 ms')
})

test('an attempt whose handler ignores its timeout is settled after the grace, keeps its slot, and changes nothing later', async () => {
  const queue = defineQueue('ignores', { timeout: '50ms', maxAttempts: 2, backoff: fixed(0) })
  const stuck = collect(pgq, 'job.stuck')
  const failed = collect(pgq, 'job.failed')
  const completed = collect(pgq, 'job.completed')
  const goOn = latch()
  const attempts: number[] = []
  let running = 0
  let most = 0
  const handler = handle(
    queue,
    async (job) => {
      attempts.push(job.attempt)
      most = Math.max(most, ++running)
      if (job.attempt === 1) await goOn.opened
      running--
      return `attempt ${job.attempt}`
    },
    { concurrency: 1 },
  )
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, null)
  const { durationMs } = await until('the attempt has failed', () => failed[0])
  expect(durationMs).toBeGreaterThan(5_000)
  expect(durationMs).toBeLessThan(10_000)
  expect(failed[0]?.error.message).toContain('50 ms')
  expect(stuck.map(({ job }) => job.id)).toEqual([id])
  expect(stuck[0]?.runningMs).toBeGreaterThan(5_000)

  // It is due, and the only slot is taken.
  await sleep(1_200)
  expect(attempts).toEqual([1])
  expect(await pgq.get(id)).toMatchObject({ status: 'failed', attempts: 1 })

  goOn.open()
  await until('the second attempt is done', () => completed.length === 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 2, result: 'attempt 2' })
  expect(most).toBe(1)
})
