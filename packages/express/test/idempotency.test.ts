import { defineQueue, type Queryable } from '@pgq/core'
import express, { type Express, type Request } from 'express'
import pg from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type IdempotencyOptions, pgqMiddleware, problems, type ReplyInit } from '../src/index.ts'
import { idempotencyKey } from '../src/idempotency/key.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { appWith, bodyOf, serve, type Served } from './support/serve.ts'
import { latch, until } from '@pgq/test-support'

const { pgq, pool, schema, sql } = await freshQueue()
await sql(`CREATE TABLE ${schema}.orders (id serial PRIMARY KEY, item text NOT NULL)`)
const fulfil = defineQueue('fulfil', { payload: z.object({ orderId: z.number() }) })

afterEach(() =>
  sql(`TRUNCATE ${schema}.jobs; DELETE FROM ${schema}.orders; DELETE FROM ${schema}.idempotency_keys`),
)

const counts = async (): Promise<{ orders: number; jobs: number; keys: number }> => {
  const [row] = await sql(`SELECT (SELECT count(*)::int FROM ${schema}.orders) AS orders,
    (SELECT count(*)::int FROM ${schema}.jobs) AS jobs,
    (SELECT count(*)::int FROM ${schema}.idempotency_keys) AS keys`)
  return row
}

/** What happens in the work of a request, besides. */
let during: (req: Request) => Promise<void> = async () => {}
afterEach(() => {
  during = async () => {}
})

const asUser = (req: Request): string => req.get('X-User') ?? 'anybody'

/** Stores an order and enqueues its job. */
async function order(req: Request, tx: Queryable): Promise<ReplyInit> {
  const { rows } = await tx.query(`INSERT INTO ${schema}.orders (item) VALUES ($1) RETURNING id`, [
    req.body.item,
  ])
  await during(req)
  const job = await req.pgq.enqueue(fulfil, { orderId: rows[0].id }, { tx })
  return {
    status: 201,
    headers: { Location: `/orders/${rows[0].id}` },
    body: { zulu: rows[0].id, jobId: job.id, alpha: 'ä\0' },
  }
}

/** Takes orders: through a transaction of `pg` at `/orders`, through one of pgq's own at `/short/orders`. */
function serveOrders(options: Partial<IdempotencyOptions> = {}): Promise<Served> {
  const idempotency = { scope: asUser, ...options }
  const app = appWith(express.json(), pgqMiddleware(pgq, { idempotency }))
  app.post('/orders', async (req, res) => {
    const reply = await inTransaction((tx) => req.pgq.idempotent(tx, () => order(req, tx)))
    req.pgq.send(res, reply)
  })
  app.post('/short/orders', async (req, res) => {
    req.pgq.send(res, await req.pgq.idempotent((tx) => order(req, tx)))
  })
  app.post('/short/accepted', async (req, res) => {
    const reply = await req.pgq.idempotent(async (tx) =>
      req.pgq.acceptedReply(await req.pgq.enqueue(fulfil, { orderId: 1 }, { tx })),
    )
    req.pgq.send(res, reply)
  })
  app.delete('/short/orders', async (req, res) => {
    req.pgq.send(res, await req.pgq.idempotent(async () => ({ status: 204 })))
  })
  return serve(app.use(problems({ onError: () => {} })))
}

async function inTransaction<T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const answer = await work(client)
    await client.query('COMMIT')
    return answer
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

describe.for(['/orders', '/short/orders'])('%s', (path) => {
  test('a request that is sent again gets the first answer, to the byte, and nothing happens twice', async () => {
    const { post } = await serveOrders()
    const first = await post(path, { item: 'tea' }, { 'Idempotency-Key': '"key 1"' })
    const second = await post(path, { item: 'tea' }, { 'Idempotency-Key': '"key 1"' })
    expect([first.status, second.status]).toEqual([201, 201])
    expect(first.headers.has('Idempotent-Replayed')).toBe(false)
    expect(second.headers.get('Idempotent-Replayed')).toBe('true')
    for (const name of ['Location', 'Content-Type', 'Content-Length', 'ETag']) {
      expect(second.headers.get(name)).toBe(first.headers.get(name))
    }
    const text = await first.text()
    expect(text).toMatch(/^\{"zulu":\d+,"jobId":"[0-9a-f-]{36}","alpha":"ä\\u0000"\}$/)
    expect(await second.text()).toBe(text)
    expect(await counts()).toEqual({ orders: 1, jobs: 1, keys: 1 })
  })

  test('20 requests with one key at the same time are one order and one job', async () => {
    const { post } = await serveOrders()
    const send = (): Promise<Response> => post(path, { item: 'tea' }, { 'Idempotency-Key': 'parallel' })
    const responses = await Promise.all(Array.from({ length: 20 }, send))
    expect(await counts()).toEqual({ orders: 1, jobs: 1, keys: 1 })
    const done = responses.filter((response) => response.status === 201)
    const others = responses.filter((response) => response.status !== 201)
    expect(done.filter((response) => !response.headers.has('Idempotent-Replayed'))).toHaveLength(1)
    expect(new Set(await Promise.all(done.map((response) => response.text()))).size).toBe(1)
    for (const response of others) expect(response.status).toBe(409)
    expect((await send()).headers.get('Idempotent-Replayed')).toBe('true')
  })

  test('while the first request goes on, a second one is told to come back', async () => {
    const { post } = await serveOrders()
    const entered = latch()
    const goOn = latch()
    during = () => {
      entered.open()
      return goOn.opened
    }
    const first = post(path, { item: 'tea' }, { 'Idempotency-Key': 'k' })
    await entered.opened
    const second = await post(path, { item: 'tea' }, { 'Idempotency-Key': 'k' })
    expect([second.status, second.headers.get('Retry-After')]).toEqual([409, '1'])
    expect(await second.json()).toMatchObject({ type: 'urn:problem-type:pgq:idempotency-key-in-use' })
    goOn.open()
    expect((await first).status).toBe(201)
    expect((await post(path, { item: 'tea' }, { 'Idempotency-Key': 'k' })).status).toBe(201)
    expect(await counts()).toEqual({ orders: 1, jobs: 1, keys: 1 })
  })

  test('the same key for another request is refused, and what was stored stays', async () => {
    const { post } = await serveOrders()
    const key = { 'Idempotency-Key': 'k' }
    await post(path, { item: 'tea', size: { a: 1, b: [1, 2] } }, key)
    for (const [otherPath, body] of [
      [path, { item: 'coffee', size: { a: 1, b: [1, 2] } }],
      [path, { item: 'tea', size: { a: 1, b: [2, 1] } }],
      [`${path}?gift`, { item: 'tea', size: { a: 1, b: [1, 2] } }],
    ] as const) {
      const response = await post(otherPath, body, key)
      expect(response.status).toBe(422)
      expect(await response.json()).toMatchObject({ type: 'urn:problem-type:pgq:idempotency-key-reused' })
    }
    const inOtherOrder = await post(path, { size: { b: [1, 2], a: 1 }, item: 'tea' }, key)
    expect(inOtherOrder.headers.get('Idempotent-Replayed')).toBe('true')
    expect(await counts()).toEqual({ orders: 1, jobs: 1, keys: 1 })
  })

  test('one caller never gets the answer of another', async () => {
    const { post } = await serveOrders()
    const key = { 'Idempotency-Key': 'k' }
    const ada = await bodyOf(await post(path, { item: 'tea' }, { ...key, 'X-User': 'ada' }))
    const bob = await post(path, { item: 'tea' }, { ...key, 'X-User': 'bob' })
    expect(bob.headers.has('Idempotent-Replayed')).toBe(false)
    expect((await bodyOf(bob)).zulu).not.toBe(ada.zulu)
    expect(await counts()).toEqual({ orders: 2, jobs: 2, keys: 2 })
  })

  test('work that fails stores nothing, and may be tried again with the same key', async () => {
    const { post } = await serveOrders()
    during = async () => {
      throw new Error('out of tea')
    }
    const key = { 'Idempotency-Key': 'k' }
    expect((await post(path, { item: 'tea' }, key)).status).toBe(500)
    expect(await counts()).toEqual({ orders: 0, jobs: 0, keys: 0 })
    during = async () => {}
    const again = await post(path, { item: 'tea' }, key)
    expect([again.status, again.headers.has('Idempotent-Replayed')]).toEqual([201, false])
    expect(await counts()).toEqual({ orders: 1, jobs: 1, keys: 1 })
  })

  test('without a key the work is simply done', async () => {
    const { post } = await serveOrders()
    expect((await post(path, { item: 'tea' })).status).toBe(201)
    expect((await post(path, { item: 'tea' })).status).toBe(201)
    expect(await counts()).toEqual({ orders: 2, jobs: 2, keys: 0 })
  })

  test('a missing key is refused where one is required, and a malformed one everywhere', async () => {
    const required = await serveOrders({ required: true })
    const missing = await required.post(path, { item: 'tea' })
    expect(missing.status).toBe(400)
    expect(await missing.json()).toMatchObject({ type: 'urn:problem-type:pgq:idempotency-key-missing' })
    const { post } = await serveOrders()
    for (const bad of [
      '"open',
      'two, keys',
      '""',
      'x'.repeat(256),
      `"${'x'.repeat(256)}"`,
      'a b',
      '"a"b',
      'ümlaut',
    ]) {
      const response = await post(path, { item: 'tea' }, { 'Idempotency-Key': bad })
      expect(response.status, bad).toBe(400)
      expect(await response.json()).toMatchObject({ type: 'urn:problem-type:pgq:idempotency-key-malformed' })
    }
    expect(await counts()).toEqual({ orders: 0, jobs: 0, keys: 0 })
  })

  test('a client that goes away while its request is worked on finds it done when it comes back', async () => {
    const { post } = await serveOrders()
    const entered = latch()
    const goOn = latch()
    during = () => {
      entered.open()
      return goOn.opened
    }
    const gone = new AbortController()
    const { url } = await serveOrders()
    const first = fetch(url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k' },
      body: '{"item":"tea"}',
      signal: gone.signal,
    })
    await entered.opened
    gone.abort()
    await expect(first).rejects.toThrow('aborted')
    expect(await counts()).toEqual({ orders: 0, jobs: 0, keys: 0 })
    goOn.open()
    await until('it is done', async () => (await counts()).keys === 1)
    const again = await post(path, { item: 'tea' }, { 'Idempotency-Key': 'k' })
    expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([201, 'true'])
    expect(await counts()).toEqual({ orders: 1, jobs: 1, keys: 1 })
  })
})

test('quoted and bare are the same key', async () => {
  const { post } = await serveOrders()
  await post('/orders', { item: 'tea' }, { 'Idempotency-Key': '"8e03978e"' })
  const second = await post('/orders', { item: 'tea' }, { 'Idempotency-Key': '8e03978e' })
  expect(second.headers.get('Idempotent-Replayed')).toBe('true')
})

test('an accepted job is replayed with its address', async () => {
  const { post } = await serveOrders()
  const first = await post('/short/accepted', {}, { 'Idempotency-Key': 'k' })
  const second = await post('/short/accepted', {}, { 'Idempotency-Key': 'k' })
  expect([first.status, second.status]).toEqual([202, 202])
  expect(first.headers.get('Location')).toMatch(/^\/jobs\//)
  expect(second.headers.get('Location')).toBe(first.headers.get('Location'))
  expect(second.headers.get('Retry-After')).toBe('2')
  expect(await second.text()).toBe(await first.text())
})

test('an answer without a body is one without a body again', async () => {
  const { request } = await serveOrders()
  for (const replayed of [null, 'true']) {
    const response = await request('/short/orders', { method: 'DELETE', headers: { 'Idempotency-Key': 'k' } })
    expect([response.status, await response.text(), response.headers.get('Idempotent-Replayed')]).toEqual([
      204,
      '',
      replayed,
    ])
  }
})

test('an answer counts for as long as it was said to', async () => {
  const { post } = await serveOrders({ ttl: '1s' })
  const key = { 'Idempotency-Key': 'k' }
  const first = await bodyOf(await post('/orders', { item: 'tea' }, key))
  await sql(`UPDATE ${schema}.idempotency_keys SET expires_at = expires_at - interval '1 s'`)
  const second = await bodyOf(await post('/orders', { item: 'tea' }, key))
  expect(second.zulu).not.toBe(first.zulu)
  const [kept] = await sql(
    `SELECT extract(epoch FROM expires_at - now()) AS s FROM ${schema}.idempotency_keys`,
  )
  expect(Number(kept.s)).toBeLessThanOrEqual(1)
})

const work = async (): Promise<ReplyInit> => ({ status: 201 })

/** A client whose transaction has ended. */
async function ended(): Promise<Queryable> {
  const client = new pg.Client({ connectionString: pool.options.connectionString })
  await client.connect()
  await client.query('BEGIN')
  await client.query('COMMIT')
  void client.end()
  return client
}

describe('mistakes of the program', () => {
  const told: unknown[] = []
  const failing = async (
    make: (app: Express) => void,
    idempotency?: IdempotencyOptions,
  ): Promise<Response> => {
    told.length = 0
    const app = appWith(express.json(), pgqMiddleware(pgq, idempotency && { idempotency }))
    make(app)
    const { post } = await serve(app.use(problems({ onError: (error) => told.push(error) })))
    return post('/', {}, { 'Idempotency-Key': 'k' })
  }

  test('nobody said whose keys they are', async () => {
    const response = await failing((app) =>
      app.post('/', async (req, res) => req.pgq.send(res, await req.pgq.idempotent(work))),
    )
    expect(response.status).toBe(500)
    expect(told).toMatchObject([
      {
        code: 'INVALID_OPTION',
        message: expect.stringContaining('idempotency: { scope: (req) => req.user.id }'),
      },
    ])
  })

  test('the caller is not known', async () => {
    const response = await failing(
      (app) => app.post('/', async (req, res) => req.pgq.send(res, await req.pgq.idempotent(work))),
      { scope: () => undefined as unknown as string },
    )
    expect(response.status).toBe(500)
    expect(told).toMatchObject([
      { code: 'INVALID_OPTION', message: expect.stringMatching(/^idempotency.scope is undefined/) },
    ])
  })

  test('nobody has read the body, so that requests that differ would look the same', async () => {
    told.length = 0
    const app = appWith(pgqMiddleware(pgq, { idempotency: { scope: 'all' } }))
    app.post('/', async (req, res) => req.pgq.send(res, await req.pgq.idempotent(work)))
    const { post, request } = await serve(app.use(problems({ onError: (error) => told.push(error) })))
    const key = { 'Idempotency-Key': 'k' }
    expect((await post('/', { item: 'tea' }, key)).status).toBe(500)
    expect(told).toMatchObject([
      { code: 'INVALID_OPTION', message: expect.stringContaining('add express.json()') },
    ])
    expect((await request('/', { method: 'POST', headers: key })).status).toBe(201)
  })

  test('the transaction has ended, or was never one', async () => {
    for (const tx of [pool, await ended()]) {
      const response = await failing(
        (app) => app.post('/', async (req) => void (await req.pgq.idempotent(tx as Queryable, work))),
        { scope: 'all' },
      )
      expect(response.status).toBe(500)
      expect(told).toHaveLength(1)
    }
    expect(told).toMatchObject([{ code: 'TRANSACTION_CLOSED' }])
    expect(await counts()).toMatchObject({ keys: 0 })
  })

  test('the answer is too large to be remembered, so nothing is done', async () => {
    const response = await failing(
      (app) =>
        app.post('/', async (req, res) => {
          const reply = await req.pgq.idempotent(async (tx) => {
            await req.pgq.enqueue(fulfil, { orderId: 1 }, { tx })
            return { body: 'x'.repeat(2_000_000) }
          })
          req.pgq.send(res, reply)
        }),
      { scope: 'all' },
    )
    expect(response.status).toBe(500)
    expect(told).toMatchObject([{ message: expect.stringContaining('answer with a link instead') }])
    expect(await counts()).toEqual({ orders: 0, jobs: 0, keys: 0 })
  })
})

test.for([
  ['abc', 'abc'],
  ['"a b"', 'a b'],
  ['"say \\"hi\\""', 'say "hi"'],
  ['"back\\\\slash"', 'back\\slash'],
  ['  bare-key_1.2:3/4+5=  ', 'bare-key_1.2:3/4+5='],
  ['"\\n"', undefined],
  ['"tab\there"', undefined],
  ['a;b=1', undefined],
  ['a\\b', undefined],
])('the header %j means %j', ([header, key]) => {
  const req = { get: () => header } as unknown as Request
  expect(idempotencyKey(req)).toEqual(key === undefined ? { kind: 'malformed' } : { kind: 'key', key })
})
