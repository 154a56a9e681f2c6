import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { createPgq, defineQueue, handle, type JobRecord, type Pgq } from '@pgq/core'
import type { ErrorRequestHandler } from 'express'
import { expect, inject, test } from 'vitest'
import { jobStatusRouter, type JobStatusOptions, jobView, problems } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { appWith, serve, type Served } from './support/serve.ts'
import { latch, until, work } from '@pgq/test-support'

const { pgq } = await freshQueue()
const fail = async (): Promise<never> => {
  throw new Error('SELECT secret FROM vault failed')
}
const mine = defineQueue<{ secret: string }>('mine', { maxAttempts: 1 })
const metadata = { owner: 'ada' }
const enqueue = async (): Promise<string> => (await pgq.enqueue(mine, { secret: 's3cret' }, { metadata })).id

const breaks = (): never => {
  throw new Error('no session store')
}
const byOwner: JobStatusOptions['authorize'] = (req, job) => job.metadata['owner'] === req.get('X-User')
const serveJobs = (options?: JobStatusOptions): Promise<Served> =>
  serve(
    appWith()
      .use('/jobs', jobStatusRouter(pgq, options))
      .use(problems({ onError: () => {} })),
  )
const asAda = { headers: { 'X-User': 'ada' } }

test('a job shows how it stands, and nothing else', async () => {
  const { request } = await serveJobs({ authorize: byOwner })
  const id = await enqueue()
  const response = await request(`/jobs/${id}`, asAda)
  expect(response.status).toBe(200)
  expect(response.headers.get('Retry-After')).toBe('2')
  expect(response.headers.get('Cache-Control')).toBe('private, no-cache')
  expect(await response.json()).toEqual({
    id,
    status: 'pending',
    progress: null,
    createdAt: expect.stringMatching(/Z$/),
    startedAt: null,
    completedAt: null,
  })
})

test('a completed job shows its result and does not ask to be looked at again', async () => {
  const { request } = await serveJobs({ authorize: byOwner })
  const queue = defineQueue('sum')
  await work(pgq, [handle(queue, async () => ({ sum: 3 }))])
  const { id } = await pgq.enqueue(queue, {}, { metadata })
  await until('it is completed', async () => (await pgq.get(id))?.status === 'completed')
  const response = await request(`/jobs/${id}`, asAda)
  expect(response.headers.has('Retry-After')).toBe(false)
  expect(await response.json()).toMatchObject({ status: 'completed', result: { sum: 3 } })
})

test('why a job failed is shown only where that is wanted', async () => {
  const plain = await serveJobs({ authorize: byOwner })
  const open = await serveJobs({
    authorize: byOwner,
    expose: (job) => ({ ...jobView(job), error: job.error }),
  })
  const queue = defineQueue('fails', { maxAttempts: 1 })
  await work(pgq, [handle(queue, fail)])
  const { id } = await pgq.enqueue(queue, {}, { metadata })
  await until('it is dead', async () => (await pgq.get(id))?.status === 'dead')
  const text = await (await plain.request(`/jobs/${id}`, asAda)).text()
  expect(JSON.parse(text)).toMatchObject({ id, status: 'dead' })
  expect(text).not.toContain('secret')
  const opened = await (await open.request(`/jobs/${id}`, asAda)).json()
  expect(opened).toMatchObject({ status: 'dead', error: 'SELECT secret FROM vault failed' })
})

test('whoever has seen a job as it is gets 304', async () => {
  const { request, url } = await serveJobs({ authorize: byOwner })
  const id = await enqueue()
  const etag = (await request(`/jobs/${id}`, asAda)).headers.get('ETag') ?? ''
  expect(etag).not.toBe('')
  const again = (): Promise<number> =>
    statusOf(`${url}/jobs/${id}`, { 'X-User': 'ada', 'If-None-Match': etag })
  expect(await again()).toBe(304)
  await pgq.cancel(id)
  expect(await again()).toBe(200)
})

test('without authorize everybody is refused, whether there is such a job or not', async () => {
  const { request } = await serveJobs()
  const bodies = []
  for (const id of [await enqueue(), randomUUID(), 'nonsense']) {
    for (const [method, path] of [
      ['GET', id],
      ['DELETE', id],
      ['GET', `${id}/events`],
    ] as const) {
      const response = await request(`/jobs/${path}`, { method, ...asAda })
      expect(response.status).toBe(403)
      bodies.push(await response.text())
    }
  }
  expect(new Set(bodies).size).toBe(1)
  expect(JSON.parse(bodies[0] ?? '')).toMatchObject({
    type: 'urn:problem-type:pgq:not-authorized',
    detail: expect.stringContaining('authorize'),
  })
})

test('a foreign job is answered like one that does not exist, to the byte', async () => {
  const { request } = await serveJobs({ authorize: byOwner })
  const foreign = await enqueue()
  for (const [method, suffix] of [
    ['GET', ''],
    ['DELETE', ''],
    ['GET', '/events'],
  ] as const) {
    const answers = []
    for (const id of [foreign, randomUUID()]) {
      const response = await request(`/jobs/${id}${suffix}`, { method, headers: { 'X-User': 'bob' } })
      expect(response.status).toBe(404)
      const headers = Object.fromEntries(response.headers)
      answers.push({ ...headers, date: '', text: await response.text() })
    }
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]).toMatchObject({ 'content-type': 'application/problem+json; charset=utf-8' })
  }
  expect(await pgq.get(foreign)).toMatchObject({ status: 'pending' })
})

test('only true is a yes', async () => {
  const { request } = await serveJobs({ authorize: () => 'ada' as unknown as boolean })
  expect((await request(`/jobs/${await enqueue()}`)).status).toBe(404)
})

test('authorize may take its time, and is not asked about jobs that do not exist', async () => {
  const asked: JobRecord[] = []
  const { request } = await serveJobs({
    authorize: async (_req, job) => {
      await Promise.resolve()
      asked.push(job)
      return true
    },
  })
  const id = await enqueue()
  expect((await request(`/jobs/${id.toUpperCase()}`)).status).toBe(200)
  expect((await request(`/jobs/${randomUUID()}`)).status).toBe(404)
  expect(asked).toMatchObject([{ id, payload: { secret: 's3cret' } }])
})

test('an error of authorize goes to the error middleware', async () => {
  const seen: unknown[] = []
  const app = appWith()
  app.use('/jobs', jobStatusRouter(pgq, { authorize: breaks }))
  app.use(problems())
  const last: ErrorRequestHandler = (error, _req, res, _next) => {
    seen.push(error)
    res.status(418).end()
  }
  app.use(last)
  const { request } = await serve(app)
  expect((await request(`/jobs/${await enqueue()}`)).status).toBe(418)
  expect(seen).toMatchObject([{ message: 'no session store' }])
})

test.for([
  'nonsense',
  '1',
  '0193c8a2-7d3e-7f10-9c2b-5f0f6c1d2e3',
  `${randomUUID()}0`,
  "'; DROP TABLE jobs",
  '%00',
])('an id that is no UUID is a bad request: %s', async (id) => {
  // Without problems(), which would know such an id too.
  const { request } = await serve(appWith().use('/jobs', jobStatusRouter(pgq, { authorize: () => true })))
  for (const path of [encodeURIComponent(id), `${encodeURIComponent(id)}/events`]) {
    const response = await request(`/jobs/${path}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ type: 'urn:problem-type:pgq:invalid-id', status: 400 })
  }
})

test('a waiting job is cancelled, once', async () => {
  const { request } = await serveJobs({ authorize: byOwner })
  const id = await enqueue()
  const cancelled = await request(`/jobs/${id}`, { method: 'DELETE', ...asAda })
  expect(cancelled.status).toBe(200)
  expect(await cancelled.json()).toMatchObject({ id, status: 'cancelled' })
  const again = await request(`/jobs/${id}`, { method: 'DELETE', ...asAda })
  expect(again.status).toBe(409)
  expect(await again.json()).toMatchObject({
    type: 'urn:problem-type:pgq:job-has-ended',
    status: 409,
    job: { id, status: 'cancelled' },
  })
})

test('a running job is told to stop, and that is accepted', async () => {
  const { request } = await serveJobs({ authorize: byOwner })
  const queue = defineQueue('runs')
  const aborted = latch()
  await work(pgq, [
    handle(queue, (_job, ctx) => {
      ctx.signal.addEventListener('abort', () => aborted.open())
      return aborted.opened
    }),
  ])
  const { id } = await pgq.enqueue(queue, {}, { metadata })
  await until('it runs', async () => (await pgq.get(id))?.status === 'processing')
  const response = await request(`/jobs/${id}`, { method: 'DELETE', ...asAda })
  expect(response.status).toBe(202)
  await aborted.opened
  expect(await pgq.get(id)).toMatchObject({ status: 'cancelled' })
})

test('a job whose handler begins while authorize takes its time was running', async () => {
  const queue = defineQueue('slowly.authorized')
  const { id } = await pgq.enqueue(queue, {}, { metadata })
  const [asked, goOn, begun] = [latch(), latch(), latch()]
  const authorize = async (): Promise<boolean> => {
    asked.open()
    await goOn.opened
    return true
  }
  const { request } = await serveJobs({ authorize })
  const answer = request(`/jobs/${id}`, { method: 'DELETE' })
  await asked.opened
  const handler = handle(queue, async (_job, ctx) => {
    begun.open()
    await once(ctx.signal, 'abort')
  })
  await work(pgq, [handler])
  await begun.opened
  goOn.open()
  const response = await answer
  expect(response.status).toBe(202)
  expect(await response.json()).toMatchObject({ id, status: 'cancelled' })
})

test('a job that is claimed between the last look and the cancelling was running, too', async () => {
  const queue = defineQueue('claimed.meanwhile')
  const { id } = await pgq.enqueue(queue, {}, { metadata })
  const begun = latch()
  const handler = handle(queue, async (_job, ctx) => {
    begun.open()
    await once(ctx.signal, 'abort')
  })
  // The same queue, with somebody who is faster.
  const slow: Pgq = Object.create(pgq, {
    cancel: {
      value: async (target: string) => {
        await work(pgq, [handler])
        await begun.opened
        return pgq.cancel(target)
      },
    },
    get: { value: (target: string) => pgq.get(target) },
  })
  const { request } = await serve(appWith().use('/jobs', jobStatusRouter(slow, { authorize: () => true })))
  expect((await request(`/jobs/${id}`, { method: 'DELETE' })).status).toBe(202)
})

const slowView = async (job: JobRecord): Promise<object> => {
  await new Promise((resolve) => setImmediate(resolve))
  return { state: job.status }
}

test('expose may take its time', async () => {
  const { request } = await serveJobs({ authorize: byOwner, expose: slowView })
  const id = await enqueue()
  expect(await (await request(`/jobs/${id}`, asAda)).json()).toEqual({ state: 'pending' })
  const cancelled = await request(`/jobs/${id}`, { method: 'DELETE', ...asAda })
  expect(await cancelled.json()).toEqual({ state: 'cancelled' })
  const late = await request(`/jobs/${id}`, { method: 'DELETE', ...asAda })
  expect(await late.json()).toMatchObject({ status: 409, job: { state: 'cancelled' } })
  const events = await (await request(`/jobs/${id}/events`, asAda)).text()
  expect(events).toContain('data: {"state":"cancelled"}')
  const seen = /^id: (.*)$/m.exec(events)?.[1] ?? ''
  const again = await request(`/jobs/${id}/events`, { headers: { ...asAda.headers, 'Last-Event-ID': seen } })
  expect(again.status).toBe(204)
})

test('HEAD, OPTIONS and methods that are not there', async () => {
  const { request } = await serveJobs({ authorize: byOwner })
  const id = await enqueue()
  const head = await request(`/jobs/${id}`, { method: 'HEAD', ...asAda })
  expect([head.status, head.headers.get('Retry-After'), await head.text()]).toEqual([200, '2', ''])
  const events = await request(`/jobs/${id}/events`, { method: 'HEAD', ...asAda })
  expect([events.status, events.headers.get('Content-Type'), await events.text()]).toEqual([
    200,
    'text/event-stream; charset=utf-8',
    '',
  ])
  const options = await request(`/jobs/${id}`, { method: 'OPTIONS' })
  expect([options.status, options.headers.get('Allow')]).toEqual([204, 'GET, HEAD, DELETE, OPTIONS'])
  for (const [path, allow] of [
    [id, 'GET, HEAD, DELETE, OPTIONS'],
    [`${id}/events`, 'GET, HEAD, OPTIONS'],
  ]) {
    const post = await request(`/jobs/${path}`, { method: 'POST' })
    expect([post.status, post.headers.get('Allow')]).toEqual([405, allow])
    expect(await post.json()).toMatchObject({ status: 405 })
  }
  expect((await request('/jobs')).status).toBe(404)
  expect((await request(`/jobs/${id}/payload`, asAda)).status).toBe(404)
})

test('without a database the answer is 503', async () => {
  const gone = createPgq({ connectionString: inject('databaseUrl').replace(/:\d+\//, ':1/') })
  const app = appWith().use('/jobs', jobStatusRouter(gone, { authorize: () => true }))
  const { request } = await serve(app.use(problems({ onError: () => {} })))
  const response = await request(`/jobs/${randomUUID()}`)
  expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '2'])
  await gone.close()
})

test.for([
  [{ authorise: () => true }, /no option "authorise"/],
  [{ authorize: true }, /^authorize is true: it must be a function/],
  [{ expose: ['status'] }, /^expose is an array of 1: it must be a function/],
  [{ maxStreams: -1 }, /^maxStreams is -1/],
  [{ heartbeat: 5 }, /^heartbeat is 5/],
  [{ interval: '1h' }, /^interval is "1h"/],
] as const)('options are checked: %j', ([options, message]) => {
  expect(() => jobStatusRouter(pgq, options as unknown as JobStatusOptions)).toThrow(message)
})

/** `fetch` turns every conditional request into one that caches may not answer. */
function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    http.get(url, { headers }, (res) => resolve(res.resume().statusCode ?? 0)).on('error', reject)
  })
}
