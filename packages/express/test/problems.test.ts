import { createPgq, defineQueue, ERROR_CODES, PgqError, type PgqErrorCode } from '@pgq/core'
import express, { type ErrorRequestHandler } from 'express'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, inject, test, vi } from 'vitest'
import { z } from 'zod'
import { pgqMiddleware, problems, type ProblemsOptions } from '../src/index.ts'
import { jsonPointer, problemOf, PROBLEMS_BY_CODE } from '@pgq/core/problems'
import { freshQueue } from './support/fresh-queue.ts'
import { appWith, bodyOf, serve, type Served } from './support/serve.ts'

const { pgq, schema, sql } = await freshQueue({ maxPayloadBytes: 1_000 })
const orders = defineQueue('order', {
  payload: z.object({ items: z.array(z.object({ price: z.number(), 'odd/key~': z.string().optional() })) }),
})

/** Answers with an error. */
const failWith = (error: unknown, options?: ProblemsOptions): Promise<Served> => {
  const app = appWith()
  app.get('/', () => {
    throw error
  })
  return serve(app.use(problems(options)))
}

test('every code has a decision, and the table of the README says which', () => {
  expect(Object.keys(PROBLEMS_BY_CODE).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted())
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const [code, decision] of Object.entries(PROBLEMS_BY_CODE)) {
    const line = readme.split('\n').find((text) => text.startsWith('|') && text.includes(`\`${code}\``))
    expect(line, code).toMatch(new RegExp(`\\| ${decision.status} `))
    expect(line?.includes('Retry-After'), code).toBe(decision.retryAfter !== undefined)
  }
})

test.for(Object.keys(ERROR_CODES) as PgqErrorCode[])(
  '%s is answered without what happened inside',
  async (code) => {
    const inside = 'relation "vault" does not exist: SELECT secret'
    const told: unknown[] = []
    const error = new PgqError(code, inside, { cause: new Error(inside), sqlState: '42P01' })
    const { request } = await failWith(error, { onError: (one) => told.push(one) })
    const response = await request('/')
    const { status, retryAfter } = PROBLEMS_BY_CODE[code]
    expect(response.status).toBe(status)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json; charset=utf-8')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(response.headers.get('Retry-After')).toBe(retryAfter === undefined ? null : String(retryAfter))
    const text = await response.text()
    expect(text).not.toContain('secret')
    expect(JSON.parse(text)).toMatchObject({
      type: expect.stringMatching(/^urn:problem-type:pgq:[a-z-]+$/),
      title: expect.stringMatching(/./),
      status,
    })
    expect(told).toEqual(status >= 500 ? [error] : [])
  },
)

test('a code that this package does not know yet is an error of the server', () => {
  const error = new PgqError('NEW_IN_2030' as PgqErrorCode, 'something')
  expect(problemOf(error)).toEqual({
    problem: { type: 'urn:problem-type:pgq:internal-error', status: 500, title: 'Internal error' },
    retryAfter: undefined,
  })
})

test('a payload that is refused says where, as JSON pointers', async () => {
  const app = appWith(express.json(), pgqMiddleware(pgq))
  app.post('/orders', async (req, res) => req.pgq.accepted(res, await req.pgq.enqueue(orders, req.body)))
  app.post('/many', async (req, res) => void res.json(await req.pgq.enqueueMany(orders, req.body)))
  const { post } = await serve(app.use(problems()))
  const response = await post('/orders', { items: [{ price: 1 }, { price: '2', 'odd/key~': 3 }] })
  expect(response.status).toBe(422)
  expect(await response.json()).toEqual({
    type: 'urn:problem-type:pgq:invalid-payload',
    title: 'The payload is not valid',
    status: 422,
    detail: expect.any(String),
    errors: [
      { pointer: '#/items/1/price', detail: expect.stringContaining('expected number') },
      { pointer: '#/items/1/odd~1key~0', detail: expect.stringContaining('expected string') },
    ],
  })
  expect((await bodyOf(await post('/orders', []))).errors).toMatchObject([{ pointer: '#' }])
  const many = await bodyOf(await post('/many', [{ items: [] }, { items: 5 }]))
  expect(many.errors).toMatchObject([{ pointer: '#/1/items' }])
  expect((await post('/orders', { items: [{ price: 1, 'odd/key~': 'x'.repeat(2_000) }] })).status).toBe(413)
  expect(await sql(`SELECT id FROM ${schema}.jobs`)).toEqual([])
})

test('an id from a client that is no UUID is its mistake; any other wrong option is ours', async () => {
  const app = appWith()
  app.get('/jobs/:id', async (req, res) => void res.json(await pgq.get(req.params.id)))
  app.delete('/jobs/:id', async (req, res) => void res.json(await pgq.cancel(req.params.id)))
  app.get('/list', async (_req, res) => void res.json(await pgq.list({ limit: -1 })))
  const { request } = await serve(app.use(problems({ onError: () => {} })))
  for (const method of ['GET', 'DELETE']) {
    const response = await request('/jobs/1%27%0A', { method })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ type: 'urn:problem-type:pgq:invalid-id' })
  }
  expect((await request('/list')).status).toBe(500)
})

test('what the body parsers refuse', async () => {
  const app = appWith(express.json({ limit: 100 }), express.urlencoded({ parameterLimit: 1 }))
  app.post('/', (_req, res) => void res.json('fine'))
  const { request } = await serve(app.use(problems()))
  const json = 'application/json'
  const send = async (type: string, body: string | Buffer, headers = {}): Promise<[number, string]> => {
    const response = await request('/', {
      method: 'POST',
      headers: { 'Content-Type': type, ...headers },
      body,
    })
    return [response.status, await response.text()]
  }
  const [status, text] = await send(json, '{"password": "hunter2"')
  expect(status).toBe(400)
  expect(JSON.parse(text)).toEqual({
    type: 'urn:problem-type:pgq:unreadable-body',
    title: 'The body is not what its Content-Type says',
    status: 400,
  })
  expect(await send(json, JSON.stringify({ text: 'x'.repeat(200) }))).toMatchObject([
    413,
    expect.stringMatching(/too large/),
  ])
  expect(await send('application/x-www-form-urlencoded', 'a=1&b=2')).toMatchObject([
    413,
    expect.stringMatching(/parameters/),
  ])
  expect(await send(`${json}; charset=klingon`, '{}')).toMatchObject([415, expect.stringMatching(/charset/)])
  expect(await send(json, '{}', { 'Content-Encoding': 'rot13' })).toMatchObject([
    415,
    expect.stringMatching(/Content-Encoding/),
  ])
  expect(await send(json, gzipSync(' '.repeat(200)), { 'Content-Encoding': 'gzip' })).toMatchObject([
    413,
    expect.stringMatching(/large/),
  ])
  for (const [encoding, body] of [
    ['gzip', 'no gzip'],
    ['gzip', gzipSync('{"text":"something"}').subarray(0, 20)],
    ['deflate', 'no deflate'],
    ['br', 'no brotli'],
  ] as const) {
    const [broken, said] = await send(json, body, { 'Content-Encoding': encoding })
    expect([broken, JSON.parse(said)]).toMatchObject([
      400,
      { type: 'urn:problem-type:pgq:unreadable-body', title: expect.stringMatching(/Content-Encoding/) },
    ])
  }
  expect(await send(json, '{}')).toEqual([200, '"fine"'])
})

test('a path that cannot be decoded', async () => {
  const app = appWith()
  app.get('/jobs/:id', (_req, res) => void res.end())
  const { request } = await serve(app.use(problems()))
  const response = await request('/jobs/%zz')
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ type: 'urn:problem-type:pgq:unreadable-path' })
})

test('everything else goes on to the next error middleware, untouched', async () => {
  const passed: unknown[] = []
  for (const error of [
    new Error('of somebody else'),
    'a string',
    undefined,
    Object.assign(new Error('teapot'), { status: 418, type: 'constructor' }),
    Object.assign(new Error('from pg'), { code: '23505' }),
    new URIError('of the program'),
  ]) {
    const app = appWith()
    app.get('/', (_req, _res, next) => next(error ?? new Error('undefined is no error')))
    app.use(problems())
    const last: ErrorRequestHandler = (one, _req, res, _next) => {
      passed.push(one)
      res.status(599).end()
    }
    const { request } = await serve(app.use(last))
    expect((await request('/')).status).toBe(599)
  }
  expect(passed).toHaveLength(6)
})

test('a response that has begun is broken off, and not continued with a problem', async () => {
  const app = appWith()
  const error = new PgqError('DATABASE_UNAVAILABLE', 'gone')
  app.get('/', (_req, res) => {
    res.write('half of it')
    throw error
  })
  const told: unknown[] = []
  const passed: unknown[] = []
  const last: ErrorRequestHandler = (one, _req, _res, next) => {
    passed.push(one)
    next(one)
  }
  app.use(problems({ onError: (one) => told.push(one) }), last)
  const { request } = await serve(app)
  await expect(request('/').then((response) => response.text())).rejects.toThrow('terminated')
  expect(told).toEqual([error])
  expect(passed).toEqual([error])
})

test('a database that is away is 503, and who runs the server reads why on the console', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})
  const gone = createPgq({ connectionString: inject('databaseUrl').replace(/:\d+\//, ':1/') })
  const app = appWith(pgqMiddleware(gone))
  app.post('/', async (req, res) => req.pgq.accepted(res, await req.pgq.enqueue(orders, { items: [] })))
  const { post } = await serve(app.use(problems()))
  const response = await post('/')
  expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '2'])
  expect(await response.text()).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|enqueue/)
  expect(log).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'DATABASE_UNAVAILABLE' }))
  log.mockRestore()
  await gone.close()
})

test.for<[string, string]>([
  ['$', '#'],
  ['$.items[3].price', '#/items/3/price'],
  ['$["odd key"]', '#/odd%20key'],
  ['$[3]["a\\"]b"].c', '#/3/a%22%5Db/c'],
  ['$["~/"]', '#/~0~1'],
  ['$["\\ud800"]', '#/%EF%BF%BD'],
  ['$._$0', '#/_%240'],
])('the path %j is the pointer %j', ([path, pointer]) => {
  expect(jsonPointer(path)).toBe(pointer)
})

test('options are checked', () => {
  expect(() => problems({ onerror: () => {} } as never)).toThrow('problems has no option "onerror"')
  expect(() => problems({ onError: 'log' } as never)).toThrow('onError is "log": it must be a function')
})
