import { defineQueue, PgqError } from '@pgq/core'
import express, { Router } from 'express'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { getPgq, jobStatusRouter, pgqMiddleware, type PgqMiddlewareOptions, problems } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { appWith, bodyOf, serve, type Served } from './support/serve.ts'

const { pgq, pool, schema, sql } = await freshQueue()
await sql(`CREATE TABLE ${schema}.reports (id text PRIMARY KEY)`)
const reports = defineQueue('report', { payload: z.object({ month: z.string() }) })
const jobs = (): Promise<{ payload: unknown }[]> => sql(`SELECT payload FROM ${schema}.jobs ORDER BY id`)

/** Enqueues what it is sent, at `/reports` and at `/v1/reports`, which is a router. */
function serveReports(options?: PgqMiddlewareOptions): Promise<Served> {
  const app = appWith(express.json(), pgqMiddleware(pgq, options))
  const router = Router()
  router.post('/reports', async (req, res) => {
    const { uniqueKey, ...payload } = req.body
    const job = await req.pgq.enqueue(reports, payload, { ...(uniqueKey && { uniqueKey }) })
    req.pgq.accepted(res, job, { month: payload.month })
  })
  app.use(router)
  app.use('/v1', router)
  app.use('/jobs', jobStatusRouter(pgq, { authorize: () => true }))
  app.use(problems())
  return serve(app)
}

test('a job is accepted with 202, where to look, and when', async () => {
  const { post, request } = await serveReports()
  const response = await post('/reports', { month: 'May' })
  expect(response.status).toBe(202)
  const body = await bodyOf(response)
  const self = `/jobs/${body.id}`
  expect(body).toEqual({
    id: expect.any(String),
    status: 'pending',
    month: 'May',
    links: { self, events: `${self}/events` },
  })
  expect(response.headers.get('Location')).toBe(self)
  expect(response.headers.get('Retry-After')).toBe('2')
  expect(response.headers.get('Content-Type')).toBe('application/json; charset=utf-8')
  expect(await pgq.get(body.id)).toMatchObject({ status: 'pending', payload: { month: 'May' } })
  const looked = await request(self)
  expect(looked.status).toBe(200)
  expect(await looked.json()).toMatchObject({ id: body.id, status: 'pending' })
})

test('a job that was there already is told as such', async () => {
  const { post } = await serveReports()
  const first = await bodyOf(await post('/reports', { month: 'May', uniqueKey: 'k' }))
  const second = await (await post('/reports', { month: 'May', uniqueKey: 'k' })).json()
  expect(first).not.toHaveProperty('deduplicated')
  expect(second).toMatchObject({ id: first.id, deduplicated: true })
})

test('a record of a job is accepted as it stands', async () => {
  const { id } = await pgq.enqueue(reports, { month: 'May' })
  await pgq.cancel(id)
  const app = appWith(pgqMiddleware(pgq))
  app.post('/', async (req, res) => {
    const job = await pgq.get(id)
    if (job) req.pgq.accepted(res, job)
  })
  const { post } = await serve(app)
  expect(await bodyOf(await post('/'))).toMatchObject({ id, status: 'cancelled' })
})

test('the address does not depend on the router that the route is in', async () => {
  const { post } = await serveReports()
  const response = await post('/v1/reports', { month: 'May' })
  expect(response.headers.get('Location')).toMatch(/^\/jobs\/[0-9a-f-]{36}$/)
})

test.for([
  ['a path', '/api/jobs/', /^\/api\/jobs\/[0-9a-f-]{36}$/],
  ['a URL', 'https://api.example.com/v2/jobs', /^https:\/\/api\.example\.com\/v2\/jobs\/[0-9a-f-]{36}$/],
  ['a path beyond ASCII', '/büro/%C3%A9/jobs', /^\/b%C3%BCro\/%C3%A9\/jobs\/[0-9a-f-]{36}$/],
  [
    'a function',
    (req: express.Request) => `${req.get('X-Forwarded-Prefix')}/jobs`,
    /^\/shop\/jobs\/[0-9a-f-]{36}$/,
  ],
] as const)('statusPath may be %s', async ([, statusPath, expected]) => {
  const { post } = await serveReports({ statusPath, retryAfter: '1500ms' })
  const response = await post('/reports', { month: 'May' }, { 'X-Forwarded-Prefix': '/shop' })
  expect(response.headers.get('Location')).toMatch(expected)
  expect(response.headers.get('Retry-After')).toBe('2')
})

test.for(['router', 'application'] as const)(
  'a middleware that is mounted in a part of the application, a %s, counts from there',
  async (kind) => {
    const part = kind === 'router' ? Router() : express()
    part.use(express.json(), pgqMiddleware(pgq))
    const inner = Router()
    inner.post('/reports', async (req, res) =>
      req.pgq.accepted(res, await req.pgq.enqueue(reports, req.body)),
    )
    part.use('/inner', inner)
    part.use('/jobs', jobStatusRouter(pgq, { authorize: () => true }))
    const { post, request } = await serve(appWith().use('/api', part))
    const response = await post('/api/inner/reports', { month: 'May' })
    const location = response.headers.get('Location') ?? ''
    expect(location).toMatch(/^\/api\/jobs\//)
    expect((await request(location)).status).toBe(200)
  },
)

test('many jobs, and a transaction, are as those of pgq', async () => {
  await sql(`TRUNCATE ${schema}.jobs`)
  const app = appWith(express.json(), pgqMiddleware(pgq))
  app.post('/years', async (req, res) => {
    const ids = await req.pgq.transaction(async (tx) => {
      await tx.query(`INSERT INTO ${schema}.reports VALUES ($1)`, [req.body.year])
      return req.pgq.enqueueMany(reports, [{ month: 'Jan' }, { month: 'Feb' }], { tx })
    })
    if (req.body.year === 'bad') throw new Error('after the commit')
    res.status(201).json(ids)
  })
  const { post } = await serve(app)
  expect((await post('/years', { year: '2026' })).status).toBe(201)
  expect(await jobs()).toEqual([{ payload: { month: 'Jan' } }, { payload: { month: 'Feb' } }])
  expect((await post('/years', { year: '2026' })).status).toBe(500)
  expect(await jobs()).toHaveLength(2)
})

test('a route works in a transaction of its own, and a failure leaves neither row nor job', async () => {
  await sql(`TRUNCATE ${schema}.jobs; DELETE FROM ${schema}.reports`)
  const app = appWith(express.json(), pgqMiddleware(pgq))
  app.post('/reports', async (req, res) => {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await client.query(`INSERT INTO ${schema}.reports VALUES ($1)`, [req.body.id])
      const job = await req.pgq.enqueue(reports, { month: req.body.month }, { tx: client })
      await client.query('COMMIT')
      req.pgq.accepted(res, job)
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      client.release()
    }
  })
  app.use(problems())
  const { post } = await serve(app)
  expect((await post('/reports', { id: 'r_1', month: 'May' })).status).toBe(202)
  expect((await post('/reports', { id: 'r_2', month: 5 })).status).toBe(422)
  expect(await sql(`SELECT id FROM ${schema}.reports`)).toEqual([{ id: 'r_1' }])
  expect(await jobs()).toEqual([{ payload: { month: 'May' } }])
})

test('a transaction that has ended is refused, and nothing is written', async () => {
  await sql(`TRUNCATE ${schema}.jobs`)
  const told: unknown[] = []
  const app = appWith(pgqMiddleware(pgq))
  app.post('/pg', async (req) => {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await client.query('COMMIT')
      await req.pgq.enqueue(reports, { month: 'May' }, { tx: client })
    } finally {
      client.release()
    }
  })
  app.post('/pgq', async (req) => {
    const tx = await req.pgq.transaction(async (open) => open)
    await req.pgq.enqueue(reports, { month: 'May' }, { tx })
  })
  app.use(problems({ onError: (error) => told.push(error) }))
  const { post } = await serve(app)
  for (const path of ['/pg', '/pgq']) {
    const response = await post(path)
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({
      type: 'urn:problem-type:pgq:internal-error',
      title: 'Internal error',
      status: 500,
    })
  }
  expect(told).toMatchObject([{ code: 'TRANSACTION_CLOSED' }, { code: 'TRANSACTION_CLOSED' }])
  expect(await jobs()).toEqual([])
})

test('a middleware that is missing is told as such, with how to add it', async () => {
  const app = appWith(express.json())
  app.get('/without', (req) => void getPgq(req))
  app.get('/directly', async (req) => void (await req.pgq.enqueue(reports, { month: 'May' })))
  const part = express()
  part.get('/', (req, res) => void res.json(req.pgq.enqueue.length))
  app.use('/part', part)
  app.use(pgqMiddleware(pgq))
  app.use('/part/with', part)
  app.get('/with', (req, res) => void res.json(getPgq(req) === req.pgq))
  const told: unknown[] = []
  app.use(problems({ onError: (error) => told.push(error) }))
  const { request } = await serve(app)
  expect(await (await request('/with')).json()).toBe(true)
  expect((await request('/part/with')).status).toBe(200)
  for (const path of ['/without', '/directly', '/part']) {
    expect((await request(path)).status).toBe(500)
    expect(told.splice(0)).toMatchObject([
      { code: 'INVALID_OPTION', message: expect.stringContaining('add app.use(pgqMiddleware(pgq)) before') },
    ])
  }
})

test('a request can be given another queue, as tests do', async () => {
  const app = appWith()
  app.get('/', (req, res) => {
    req.pgq = { enqueue: 'another' } as never
    res.json([req.pgq, Object.keys(req).includes('pgq')])
  })
  const { request } = await serve(app)
  expect(await (await request('/')).json()).toEqual([{ enqueue: 'another' }, true])
})

test.for([
  [{ statusPath: 'jobs' }, /^statusPath is "jobs": it must be a path/],
  [{ statusPath: '//evil.example/jobs' }, /^statusPath is/],
  [{ statusPath: '/jobs?all' }, /^statusPath is/],
  [{ statusPath: 'ftp://example.com' }, /^statusPath is/],
  [{ retryAfter: 'soon' }, /^retryAfter is "soon"/],
  [{ statuspath: '/jobs' }, /^pgqMiddleware has no option "statuspath"; there are: statusPath, retryAfter/],
  [{ idempotency: {} }, /^idempotency.scope is undefined: it must say who the caller is/],
  [{ idempotency: { scope: 'all', ttl: 5 } }, /^idempotency.ttl is 5/],
  [{ idempotency: { scope: 'all', required: 'yes' } }, /^idempotency.required is "yes"/],
  [{ idempotency: { scope: 'all', fingerprint: 'x' } }, /^idempotency.fingerprint is "x"/],
] as const)('options are checked: %j', ([options, message]) => {
  const make = (): unknown => pgqMiddleware(pgq, options as unknown as PgqMiddlewareOptions)
  expect(make).toThrow(PgqError)
  expect(make).toThrow(message)
})

test('something that is no queue is refused', () => {
  expect(() => pgqMiddleware({} as never)).toThrow(
    'pgqMiddleware was given an object: it needs what createPgq',
  )
  expect(() => jobStatusRouter(undefined as never)).toThrow('jobStatusRouter was given undefined')
})
