import { expect, test } from 'vitest'
import { type AttemptEnd, defineQueue, handle, type Hooks, SnoozeJob, type } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until, work } from '@pgq/test-support'

const mail = defineQueue('mail', { payload: type<{ n: number }>(), maxAttempts: 1 })

test('hooks run around an enqueue in the order in which they were added, and add to the metadata', async () => {
  const { pgq } = await freshQueue()
  const order: string[] = []
  const hook = (name: string): Hooks => ({
    enqueue: async (call, next) => {
      order.push(`${name} before ${call.queue} ${call.many}`)
      const jobs = await next({ [name]: name, who: name })
      order.push(`${name} after ${jobs}`)
    },
  })
  pgq.use(hook('outer'))
  const remove = pgq.use(hook('inner'))
  const { id } = await pgq.enqueue(mail, { n: 1 }, { metadata: { who: 'caller' } })
  expect((await pgq.get(id))?.metadata).toEqual({ outer: 'outer', inner: 'inner', who: 'caller' })
  expect(order).toEqual([
    'outer before mail false',
    'inner before mail false',
    'inner after 1',
    'outer after 1',
  ])
  remove()
  const [first] = await pgq.enqueueMany(mail, [{ n: 1 }, { n: 2 }])
  expect((await pgq.get(first?.id ?? ''))?.metadata).toEqual({ outer: 'outer', who: 'outer' })
  expect(order.slice(4)).toEqual(['outer before mail true', 'outer after 2'])
})

test('an enqueue that nobody awaits is in order before the end of its transaction, with hooks too', async () => {
  const { pgq, pool } = await freshQueue()
  pgq.use({ enqueue: (_call, next) => next({ traced: true }) })
  const client = await pool.connect()
  await client.query('BEGIN')
  const enqueued = pgq.enqueue(mail, { n: 1 }, { tx: client })
  await client.query('COMMIT')
  const { id } = await enqueued
  client.release()
  expect((await pgq.get(id))?.metadata).toEqual({ traced: true })
})

test('a hook that fails before the work refuses it; one that fails after it changes nothing', async () => {
  const { pgq } = await freshQueue()
  const errors: unknown[] = []
  pgq.events.on('error', ({ where, error }) => errors.push([where, (error as Error).message]))
  const remove = pgq.use({ enqueue: () => Promise.reject(new Error('no tenant')) })
  await expect(pgq.enqueue(mail, { n: 1 })).rejects.toThrow('no tenant')
  expect(await pgq.counts()).toEqual([])
  remove()
  pgq.use({
    enqueue: async (_call, next) => {
      await next()
      throw new Error('too late')
    },
  })
  expect(await pgq.enqueue(mail, { n: 1 })).toMatchObject({ deduplicated: false })
  expect(errors).toEqual([['a hook', 'too late']])
})

test('what the database refuses reaches hooks and the caller, once each', async () => {
  const { pgq } = await freshQueue()
  const seen: unknown[] = []
  const errors: unknown[] = []
  pgq.events.on('error', (event) => errors.push(event))
  pgq.use({ enqueue: (_call, next) => next().catch((error: unknown) => Promise.reject(seen.push(error))) })
  const refused = pgq.enqueue(mail, { n: 1 }, { priority: 1e9 })
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  expect(seen).toMatchObject([{ code: 'INVALID_OPTION' }])
  for (const metadata of [7, [1], 'x'] as never[])
    await expect(pgq.enqueue(mail, { n: 1 }, { metadata })).rejects.toThrow(/^metadata is/)
})

test('hooks run around attempts and are told how they end', async () => {
  const { pgq } = await freshQueue()
  const seen = new Map<number, AttemptEnd>()
  const payloads = new Map<string, number>()
  pgq.use({
    attempt: async (job, next) => {
      const end = await next()
      const n = payloads.get(job.id) ?? -1
      if (!seen.has(n)) seen.set(n, end)
    },
  })
  const results = await pgq.enqueueMany(mail, [{ n: 0 }, { n: 1 }, { n: 2 }])
  for (const [n, { id }] of results.entries()) payloads.set(id, n)
  const boom = new Error('boom')
  await work(pgq, [
    handle(mail, async ({ payload }) => {
      if (payload.n === 1) throw boom
      if (payload.n === 2) throw new SnoozeJob('1h')
    }),
  ])
  await until('all have ended', () => seen.size === 3)
  expect(seen.get(0)).toEqual({ ending: 'completed' })
  expect(seen.get(1)).toEqual({ ending: 'dead', error: boom })
  expect(seen.get(2)).toMatchObject({ ending: 'snoozed' })
})

test('a hook that fails before the handler fails the attempt; after it the outcome stands', async () => {
  const { pgq } = await freshQueue()
  const ids = (await pgq.enqueueMany(mail, [{ n: 0 }, { n: 1 }])).map(({ id }) => id)
  const ran: number[] = []
  pgq.use({
    attempt: async (job, next) => {
      if (job.id === ids[0]) throw new Error('before')
      await next()
      throw new Error('after')
    },
  })
  await work(pgq, [handle(mail, ({ payload }) => void ran.push(payload.n))])
  const jobs = await until('both have ended', async () => {
    const all = await Promise.all(ids.map((id) => pgq.get(id)))
    return all.every((job) => job?.completedAt) && all
  })
  expect(jobs.map((job) => [job?.status, job?.error])).toEqual([
    ['dead', 'before'],
    ['completed', null],
  ])
  expect(ran).toEqual([1])
})
