import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineQueue, handle, type JobContext, type Json } from '@pgq/core'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { jobStatusRouter, type JobStatusOptions, problems } from '../src/index.ts'
import { lifecycleOf } from '../src/lifecycle.ts'
import { follow } from './support/event-source.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue, type FreshQueue } from './support/fresh-queue.ts'
import { appWith, serve, type Served } from './support/serve.ts'

const shared = await freshQueue()
const steps = defineQueue('steps')

const serveJobs = (options: JobStatusOptions = {}, { pgq }: FreshQueue = shared): Promise<Served> => {
  const router = jobStatusRouter(pgq, { authorize: () => true, interval: 20, ...options })
  return serve(appWith().use('/jobs', router).use(problems()))
}

/** A job whose handler does what the test tells it. */
async function puppet({ pgq }: FreshQueue = shared): Promise<{
  id: string
  begun(): Promise<JobContext>
  complete(result: Json): void
}> {
  let context: JobContext | undefined
  let result: Json = null
  const done = latch()
  const queue = defineQueue(`puppet.${performance.now()}`)
  const run = async (_job: unknown, ctx: JobContext): Promise<Json> => {
    context = ctx
    await done.opened
    return result
  }
  await work(pgq, [handle(queue, run)])
  const { id } = await pgq.enqueue(queue, {})
  return {
    id,
    begun: () => until('it runs', () => context),
    complete: (value) => {
      result = value
      done.open()
    },
  }
}

const dataOf = (message: { data: string }): Record<string, unknown> => JSON.parse(message.data)

test('a stream begins with the job as it is, tells each change, and ends with the job', async () => {
  const { url } = await serveJobs()
  const job = await puppet()
  const context = await job.begun()
  const client = await follow(`${url}/jobs/${job.id}/events`)
  expect(client.response.status).toBe(200)
  expect(Object.fromEntries(client.response.headers)).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
  await client.message('the snapshot', (message) => dataOf(message)['status'] === 'processing')
  await context.progress({ step: 1 })
  await client.message('step 1', (message) => JSON.stringify(dataOf(message)['progress']) === '{"step":1}')
  job.complete({ pages: 7 })
  await client.ended()
  const [last, end] = client.messages.slice(-2)
  expect(dataOf(last ?? { data: '{}' })).toMatchObject({ status: 'completed', result: { pages: 7 } })
  expect(end).toMatchObject({ event: 'end', data: '{"deleted":false}' })
  const ids = client.messages.slice(0, -1).map((message) => message.id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.every((id) => /^[\w-]{22}$/.test(id ?? ''))).toBe(true)
})

test('a stream of a job that has ended says so and ends', async () => {
  const { url } = await serveJobs()
  const { id } = await shared.pgq.enqueue(steps, {})
  await shared.pgq.cancel(id)
  const client = await follow(`${url}/jobs/${id}/events`)
  await client.ended()
  expect(client.messages.map(({ event, data }) => [event, JSON.parse(data).status])).toEqual([
    [undefined, 'cancelled'],
    ['end', undefined],
  ])
})

test('a client that comes back is not told what it knows, and after the end is told not to come again', async () => {
  const { url } = await serveJobs()
  const other = await serveJobs() // as another process would: nothing is remembered of a stream
  const { id } = await shared.pgq.enqueue(steps, {})
  const first = await follow(`${url}/jobs/${id}/events`)
  const { id: seen = '' } = await first.message('the snapshot', () => true)
  first.close()
  const second = await follow(`${other.url}/jobs/${id}/events`, { 'Last-Event-ID': seen })
  await shared.pgq.cancel(id)
  await second.ended()
  expect(second.messages.map(({ data }) => JSON.parse(data).status)).toEqual(['cancelled', undefined])
  const last = second.messages[0]?.id ?? ''
  const third = await follow(`${url}/jobs/${id}/events`, { 'Last-Event-ID': last })
  expect(third.response.status).toBe(204)
  const fourth = await follow(`${url}/jobs/${id}/events`, { 'Last-Event-ID': 'something else' })
  await fourth.ended()
  expect(fourth.messages).toHaveLength(2)
})

test('a job that is deleted ends its stream', async () => {
  const { url } = await serveJobs()
  const { id } = await shared.pgq.enqueue(steps, {})
  const client = await follow(`${url}/jobs/${id}/events`)
  await client.message('the snapshot', () => true)
  await shared.pgq.delete(id)
  await client.ended()
  expect(client.messages.at(-1)).toMatchObject({ event: 'end', data: '{"deleted":true}' })
})

test('what is not exposed is no change', async () => {
  const { url } = await serveJobs({ expose: (job) => ({ status: job.status }) })
  const job = await puppet()
  const context = await job.begun()
  const client = await follow(`${url}/jobs/${job.id}/events`)
  await client.message('the snapshot', () => true)
  await context.progress('a secret')
  job.complete('another')
  await client.ended()
  expect(client.messages.map(({ data }) => data)).toEqual([
    '{"status":"processing"}',
    '{"status":"completed"}',
    '{"deleted":false}',
  ])
})

test('a silent stream sends a comment now and then', async () => {
  const { url } = await serveJobs({ heartbeat: '1s' })
  const { id } = await shared.pgq.enqueue(steps, {}, { delay: '1h' })
  const client = await follow(`${url}/jobs/${id}/events`)
  await until('two heartbeats', () => client.comments.length >= 2)
  expect(client.messages).toHaveLength(1)
})

test('a client that goes away takes its stream and its watch with it', async () => {
  const fresh = await countingQueue()
  const { url } = await serveJobs({}, fresh)
  const { id } = await fresh.pgq.enqueue(steps, {})
  const lifecycle = lifecycleOf(fresh.pgq)
  const clients = await Promise.all(Array.from({ length: 20 }, () => follow(`${url}/jobs/${id}/events`)))
  await Promise.all(clients.map((client) => client.message('the snapshot', () => true)))
  expect(lifecycle.openStreams).toBe(20)
  const before = fresh.asked
  await until('somebody looks', () => fresh.asked > before + 3)
  for (const client of clients) client.close()
  await until('all streams are gone', () => lifecycle.openStreams === 0)
  await expectNoLooks(fresh)
})

test('a client that aborts before the stream has begun leaves nothing', async () => {
  expect.hasAssertions()
  const fresh = await countingQueue()
  const entered = latch()
  const goOn = latch()
  const authorize = async (): Promise<boolean> => {
    entered.open()
    await goOn.opened
    return true
  }
  const { url, server } = await serveJobs({ authorize }, fresh)
  const { id } = await fresh.pgq.enqueue(steps, {})
  const request = http.get(`${url}/jobs/${id}/events`).on('error', () => {})
  await entered.opened
  request.destroy()
  await until('the connection is gone', async () => (await connectionsOf(server)) === 0)
  goOn.open()
  await until('the route has had its turn', () => lifecycleOf(fresh.pgq).openStreams === 0)
  await expectNoLooks(fresh)
})

test('a client that takes nothing is cut off', async () => {
  const fresh = await freshQueue()
  const huge = 'x'.repeat(900_000)
  let version = 0
  const { url } = await serveJobs({ heartbeat: '1s', expose: () => huge + version++ }, fresh)
  const job = await puppet(fresh)
  const context = await job.begun()
  // It reads the head and then nothing more: its buffers fill up, and then the server's.
  const request = http.get(`${url}/jobs/${job.id}/events`, (response) => void response.pause())
  request.on('error', () => {})
  const lifecycle = lifecycleOf(fresh.pgq)
  await until('it is open', () => lifecycle.openStreams === 1)
  await until(
    'it is cut off',
    async () => {
      await context.progress(version).catch(() => {})
      return lifecycle.openStreams === 0
    },
    25_000,
  )
  expect(lifecycle.openStreams).toBe(0)
  request.destroy()
  job.complete(null)
})

test('there is a limit to streams, and room again when one ends', async () => {
  const fresh = await freshQueue()
  const { url } = await serveJobs({ maxStreams: 2, retryAfter: '7s' }, fresh)
  const { id } = await fresh.pgq.enqueue(steps, {})
  const clients = await Promise.all(Array.from({ length: 5 }, () => follow(`${url}/jobs/${id}/events`)))
  const statuses = clients.map((client) => client.response.status)
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 503, 503, 503])
  const refused = clients.find((client) => client.response.status === 503)?.response
  expect(refused?.headers.get('Retry-After')).toBe('7')
  expect(await refused?.json()).toMatchObject({ type: 'urn:problem-type:pgq:too-many-streams' })
  for (const client of clients) client.close()
  await until('there is room', () => lifecycleOf(fresh.pgq).openStreams === 0)
  expect((await follow(`${url}/jobs/${id}/events`)).response.status).toBe(200)
})

test('once the streams were closed for a shutdown, a client is sent elsewhere, by an answer that makes it come again', async () => {
  const fresh = await freshQueue()
  const { url } = await serveJobs({ retryAfter: '3s' }, fresh)
  const { id } = await fresh.pgq.enqueue(steps, {})
  const before = await follow(`${url}/jobs/${id}/events`)
  await before.message('the snapshot', () => true)
  lifecycleOf(fresh.pgq).closeStreams()
  await before.ended()
  const after = await fetch(`${url}/jobs/${id}/events`)
  expect([after.status, after.headers.get('Content-Type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
  expect(await after.text()).toBe('retry: 3000\n\n')
})

test('streams end when pgq is closed', async () => {
  const fresh = await freshQueue()
  const { url } = await serveJobs({}, fresh)
  const { id } = await fresh.pgq.enqueue(steps, {})
  const client = await follow(`${url}/jobs/${id}/events`)
  await client.message('the snapshot', () => true)
  await fresh.pgq.close()
  await client.ended()
  expect(client.messages).toHaveLength(1)
})

/** A queue that counts what it asks the database; workers have connections of their own and don't count. */
async function countingQueue(): Promise<FreshQueue & { readonly asked: number }> {
  let asked = 0
  const pool = new pg.Pool({ connectionString: inject('databaseUrl') })
  const query = pool.query.bind(pool) as (...args: unknown[]) => unknown
  pool.query = ((...args: unknown[]) => {
    asked++
    return query(...args)
  }) as typeof pool.query
  cleanUpAfterwards(() => pool.end())
  const fresh = await freshQueue({ pool })
  return Object.defineProperty(fresh, 'asked', { get: () => asked }) as FreshQueue & {
    readonly asked: number
  }
}

/** Nobody looks any more: in the time of ten looks not one is seen. */
async function expectNoLooks(fresh: { readonly asked: number }): Promise<void> {
  await sleep(50) // the last one may be under way
  const { asked } = fresh
  await sleep(200)
  expect(fresh.asked).toBe(asked)
}

function connectionsOf(server: http.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
  })
}
