import { defineQueue } from '@pgq/core'
import express, { type Express, type Request } from 'express'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type IdempotencyOptions, pgqMiddleware, problems, type ReplyInit } from '../src/index.ts'
import { latch } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { appWith, serve, type Served } from './support/serve.ts'

const { pgq, schema, sql } = await freshQueue()
const fulfil = defineQueue('fulfil')
const key = { 'Idempotency-Key': 'k' }
const told: unknown[] = []
beforeEach(() => void (told.length = 0))
afterEach(() => sql(`TRUNCATE ${schema}.jobs; DELETE FROM ${schema}.idempotency_keys`))

const counts = async (): Promise<unknown> => {
  const [row] = await sql(`SELECT (SELECT count(*)::int FROM ${schema}.jobs) AS jobs,
    (SELECT count(*)::int FROM ${schema}.idempotency_keys) AS keys`)
  return row
}

/** An application that takes JSON, with its errors told. */
function serveWith(make: (app: Express) => void, options: Partial<IdempotencyOptions> = {}): Promise<Served> {
  const app = appWith(express.json({ limit: '1mb' }), express.urlencoded({ limit: '1mb' }))
  app.use(pgqMiddleware(pgq, { idempotency: { scope: 'all', ...options } }))
  make(app)
  return serve(app.use(problems({ onError: (error) => told.push(error) })))
}

/** Enqueues, and answers so. */
const answering =
  (reply: ReplyInit) =>
  (app: Express): void => {
    app.post('/', async (req, res) => {
      const made = await req.pgq.idempotent(async (tx) => {
        await req.pgq.enqueue(fulfil, {}, { tx })
        return reply
      })
      req.pgq.send(res, made)
    })
  }

test.for<[string, Record<string, unknown>, RegExp]>([
  ['characters beyond Latin-1', { Location: '/orders/日本' }, /^the header "Location" .*encodeURI/],
  ['a line break', { 'X-A': 'a\r\nSet-Cookie: x=1' }, /^the header "X-A"/],
  ['a name that is none', { 'bad name': 'x' }, /^the header "bad name"/],
  ['no value', { 'X-A': undefined }, /^the header "X-A" .*undefined/],
  ['a number', { 'X-A': 5 }, /^the header "X-A"/],
  ['a length of its own', { 'content-length': '5' }, /^the header "content-length"/],
  ['an encoding of its own', { 'Transfer-Encoding': 'chunked' }, /^the header "Transfer-Encoding"/],
])('a reply that cannot be sent is not stored: %s', async ([, headers, message]) => {
  const reply = { status: 201, headers: headers as Record<string, string>, body: {} }
  const { post } = await serveWith(answering(reply))
  expect((await post('/', {}, key)).status).toBe(500)
  expect(told).toMatchObject([{ code: 'INVALID_OPTION', message: expect.stringMatching(message) }])
  expect(await counts()).toEqual({ jobs: 0, keys: 0 })
})

test.for(['text/plain; charset', 'a b/c;;=', 'nonsense', 'text/plain', 'application/xml'])(
  'whatever the Content-Type is (%j), the reply is sent, and sent again',
  async (type) => {
    const { post } = await serveWith(answering({ headers: { 'Content-Type': type }, body: 'tea' }))
    const [first, again] = [await post('/', {}, key), await post('/', {}, key)]
    expect([first.status, again.status]).toEqual([200, 200])
    expect(again.headers.get('Content-Type')).toBe(first.headers.get('Content-Type'))
    expect([await first.text(), await again.text()]).toEqual(['"tea"', '"tea"'])
  },
)

test.for([
  ['an array', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['an object', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
])('a body that is nested too deeply is the mistake of the client: %s', async ([, body]) => {
  const { request } = await serveWith(answering({ status: 201 }))
  const headers = { 'Content-Type': 'application/json', ...key }
  const response = await request('/', { method: 'POST', headers, body: body ?? '' })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ type: 'urn:problem-type:pgq:unreadable-body' })
  expect(await counts()).toEqual({ jobs: 0, keys: 0 })
})

test('a body of a type that no parser takes is the mistake of the client', async () => {
  const { request } = await serveWith(answering({ status: 201 }))
  const response = await request('/', {
    method: 'POST',
    headers: { 'Content-Type': 'text/plain', ...key },
    body: 'x',
  })
  expect(response.status).toBe(415)
  expect(await response.json()).toMatchObject({ type: 'urn:problem-type:pgq:unreadable-body' })
  expect(await counts()).toEqual({ jobs: 0, keys: 0 })
})

const longScope = (req: Request): string => `${'u'.repeat(600)}${req.get('X-User') ?? ''}`
const longPrint = (req: Request): string => `${'f'.repeat(600)}${req.get('X-Print') ?? ''}`

test('a long scope and a long fingerprint are told apart to the end', async () => {
  const { post } = await serveWith(answering({ status: 201 }), { scope: longScope, fingerprint: longPrint })
  expect((await post('/', {}, { ...key, 'X-User': 'ada' })).status).toBe(201)
  const again = await post('/', {}, { ...key, 'X-User': 'ada' })
  expect(again.headers.get('Idempotent-Replayed')).toBe('true')
  const bob = await post('/', {}, { ...key, 'X-User': 'bob' })
  expect([bob.status, bob.headers.has('Idempotent-Replayed')]).toEqual([201, false])
  expect((await post('/', {}, { ...key, 'X-User': 'ada', 'X-Print': 'other' })).status).toBe(422)
  // A scope that looks like what becomes of a long one is not that.
  const [{ scope: stored }] = await sql(`SELECT scope FROM ${schema}.idempotency_keys LIMIT 1`)
  const forged = await serveWith(answering({ status: 201 }), { scope: stored, fingerprint: () => 'f' })
  expect((await forged.post('/', {}, key)).headers.has('Idempotent-Replayed')).toBe(false)
})

test('a second piece of work in one request is refused, not answered with the first', async () => {
  const { post } = await serveWith((app) => {
    app.post('/', async (req, res) => {
      await req.pgq.idempotent(async () => ({ status: 201, body: 'first' }))
      req.pgq.send(res, await req.pgq.idempotent(async () => ({ status: 201, body: 'second' })))
    })
    app.post('/scoped', async (req, res) => {
      await req.pgq.idempotent(async () => ({ status: 201, body: 'first' }), { scope: 'one' })
      const second = req.pgq.idempotent(async () => ({ status: 201, body: 'second' }), { scope: 'two' })
      req.pgq.send(res, await second)
    })
  })
  for (let round = 0; round < 2; round++) {
    expect((await post('/', {}, { 'Idempotency-Key': `${round}` })).status).toBe(500)
    expect(told.at(-1)).toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/twice .*scope/),
    })
  }
  for (let round = 0; round < 2; round++) {
    const response = await post('/scoped', {}, { 'Idempotency-Key': 's' })
    expect([response.status, await response.text()]).toEqual([201, '"second"'])
  }
})

test('two pieces of work at the same time in one request are refused too', async () => {
  const { post } = await serveWith((app) => {
    app.post('/', async (req, res) => {
      const goOn = latch()
      const first = req.pgq.idempotent(async () => goOn.opened.then(() => ({})))
      await req.pgq.idempotent(async () => ({})).catch((error: unknown) => told.push(error))
      goOn.open()
      req.pgq.send(res, await first)
    })
  })
  expect((await post('/', {}, key)).status).toBe(200)
  expect(told).toMatchObject([{ code: 'INVALID_OPTION', message: expect.stringMatching(/twice/) }])
})

test('a transaction that did not commit may be tried again in the same request', async () => {
  const { post } = await serveWith((app) => {
    app.post('/', async (req, res) => {
      const attempt = (isLast: boolean) =>
        pgq.transaction(async (tx) => {
          const reply = await req.pgq.idempotent(tx, async () => ({ status: 201, body: { isLast } }))
          if (!isLast) throw new Error('the COMMIT fails')
          return reply
        })
      await attempt(false).catch(() => {})
      req.pgq.send(res, await attempt(true))
    })
  })
  for (const replayed of [null, 'true']) {
    const response = await post('/', {}, key)
    expect([response.status, await response.text()]).toEqual([201, '{"isLast":true}'])
    expect(response.headers.get('Idempotent-Replayed')).toBe(replayed)
  }
})
