import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { defineQueue, handle, isPgqError, type WorkerOptions } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { latch, until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq, sql, schema } = await freshQueue()

/** Runs one job that waits for its signal, cancels it, and returns how long the signal took, in ms. */
async function cancelOne(
  name: string,
  options: WorkerOptions,
  cancel: (id: string) => Promise<unknown>,
): Promise<number> {
  const queue = defineQueue(name)
  const started = latch()
  const reasons: unknown[] = []
  let abortedAt = 0
  const cancelled = collect(pgq, 'job.cancelled')
  const others = [collect(pgq, 'job.lost'), collect(pgq, 'job.failed'), collect(pgq, 'job.completed')]
  const handler = handle(queue, async (_, { signal }) => {
    started.open()
    await sleep(25_000, undefined, { signal }).catch(() => {
      abortedAt = performance.now()
      reasons.push(signal.reason)
    })
    return 'what it returns now counts for nothing'
  })
  const connected = collect(pgq, 'listener.connected')
  await work(pgq, [handler], options)
  if (options.listen !== false) await until('it listens', () => connected.length === 1)
  const { id } = await pgq.enqueue(queue, null)
  await started.opened
  await cancel(id)
  const cancelledAt = performance.now()
  await until('it is told', () => cancelled.length === 1)
  expect(reasons.map((reason) => isPgqError(reason, 'JOB_CANCELLED'))).toEqual([true])
  expect(cancelled[0]?.job.id).toBe(id)
  expect(others.flat()).toEqual([])
  expect(await pgq.get(id)).toMatchObject({ status: 'cancelled', result: null, lockedBy: null, fence: 2 })
  return abortedAt - cancelledAt
}

test('pgq.cancel aborts the signal of a running handler at once', async () => {
  const options = { lease: '10m', pollInterval: '1m' } as const
  expect(await cancelOne('at.once', options, (id) => pgq.cancel(id))).toBeLessThan(1_000)
})

test('without notifications the heartbeat finds out', async () => {
  const options = { lease: '1s', listen: false } as const
  expect(await cancelOne('by.heartbeat', options, (id) => pgq.cancel(id))).toBeLessThan(3_000)
})

test('a job that was cancelled by UPDATE is aborted as well', async () => {
  const update = `UPDATE ${schema}.jobs SET status = 'cancelled' WHERE id = $1`
  const took = await cancelOne('by.update', { lease: '1s' }, (id) => sql(update, [id]))
  expect(took).toBeLessThan(3_000)
})

test('a job that was taken back by UPDATE is aborted with LEASE_LOST, and runs again', async () => {
  const queue = defineQueue('taken.back')
  const reasons: unknown[] = []
  const completed = collect(pgq, 'job.completed')
  const handler = handle(queue, async (job, { signal }) => {
    if (job.fence > 1) return
    await sleep(25_000, undefined, { signal }).catch(() => reasons.push(signal.reason))
  })
  await work(pgq, [handler], { lease: '1s' })
  const { id } = await pgq.enqueue(queue, null)
  await until('it runs', async () => (await pgq.get(id))?.status === 'processing')
  await sql(`UPDATE ${schema}.jobs SET status = 'pending' WHERE id = $1`, [id])
  await until('it is done', () => completed.some(({ job }) => job.id === id))
  await until('the first run is aborted', () => reasons.length === 1)
  expect(reasons).toMatchObject([{ code: 'LEASE_LOST' }])
})

test('a claim that was lost before the job was cancelled is lost, not cancelled', async () => {
  const queue = defineQueue('lost.before')
  const reasons: unknown[] = []
  const [cancelled, lost] = [collect(pgq, 'job.cancelled'), collect(pgq, 'job.lost')]
  const handler = handle(queue, async (_, { signal }) => {
    await sleep(25_000, undefined, { signal }).catch(() => reasons.push(signal.reason))
  })
  await work(pgq, [handler], { lease: '1s' })
  const { id } = await pgq.enqueue(queue, null)
  await until('it runs', async () => (await pgq.get(id))?.status === 'processing')
  const change = (to: string): string => `UPDATE ${schema}.jobs SET status = '${to}' WHERE id = '${id}'`
  await sql(`${change('failed')}; ${change('cancelled')}`)
  await until('it is told', () => [...cancelled, ...lost].some(({ job }) => job.id === id))
  expect(lost).toMatchObject([{ job: { id, fence: 1 } }])
  expect(cancelled.filter(({ job }) => job.id === id)).toEqual([])
  expect(reasons).toMatchObject([{ code: 'LEASE_LOST' }])
})

test('of a cancel and a completion at the same moment exactly one wins, and the events tell which', async () => {
  const queue = defineQueue('race')
  const completed = collect(pgq, 'job.completed')
  const ended = [collect(pgq, 'job.cancelled'), collect(pgq, 'job.lost')]
  await work(pgq, [handle(queue, () => sleep(2), { concurrency: 20 })], { lease: '1s' })
  let cancels = 0
  for (let round = 0; round < 10; round++) {
    const jobs = await pgq.enqueueMany(queue, Array(40).fill(null))
    const ids = jobs.map(({ id }) => id)
    const halves = [ids.filter((_, i) => i % 2 === 0), ids.filter((_, i) => i % 2 === 1)]
    await sleep(round)
    cancels += (await Promise.all(halves.map((half) => pgq.cancel(half)))).reduce((a, b) => a + b)
  }
  const counted = async (): Promise<Record<string, number>> => {
    const counts = await pgq.counts({ queue })
    return Object.fromEntries(counts.map(({ status, jobs }) => [status, jobs]))
  }
  await until('all have ended', async () => {
    const { pending, processing } = await counted()
    return !pending && !processing
  })
  const { completed: inHistory = 0, cancelled = 0, ...others } = await counted()
  expect(others).toEqual({})
  expect(inHistory + cancelled).toBe(400)
  expect(cancelled).toBe(cancels)
  await until('all are told', () => completed.length === inHistory)
  const wrong = ended.flat().filter(({ job }) => completed.some((event) => event.job.id === job.id))
  expect(wrong).toEqual([])
  expect(Math.min(inHistory, cancelled)).toBeGreaterThan(0)
})
