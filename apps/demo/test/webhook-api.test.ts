import { randomBytes } from 'node:crypto'
import { createPgq, type Pgq } from '@pgq/core'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest'
import { Endpoint } from '../src/endpoint.ts'
import { QUEUE_SCHEMA } from '../src/payment-webhooks.ts'
import { createShop } from '../src/shop.ts'
import { Mishap, webhookApi } from '../src/webhook-api.ts'

// The endpoint alone, on a database of its own.
const name = `demo_${randomBytes(6).toString('hex')}`
const server = new pg.Client({ connectionString: inject('databaseUrl') })
let pool: pg.Pool
let pgq: Pgq
let endpoint: Endpoint
let beforeCommit: () => void = () => {}

beforeAll(async () => {
  await server.connect()
  await server.query(`CREATE DATABASE ${name}`)
  const url = new URL(inject('databaseUrl'))
  url.pathname = name
  pool = new pg.Pool({ connectionString: url.href })
  pgq = createPgq({ pool, schema: QUEUE_SCHEMA })
  await pgq.migrate()
  await createShop(pool)
  const options = { pgq, db: drizzle({ client: pool }), beforeCommit: () => beforeCommit() }
  endpoint = await Endpoint.open(webhookApi(options))
})

beforeEach(async () => {
  beforeCommit = () => {}
  await pool.query('TRUNCATE pgq_demo_shop.webhooks CASCADE; DELETE FROM pgq_demo.jobs')
})

afterAll(async () => {
  await endpoint.close()
  await pgq.close()
  await pool.end()
  await server.query(`DROP DATABASE ${name} WITH (FORCE)`)
  await server.end()
})

const headers = { 'webhook-id': 'wh_1', 'webhook-received-at': '2026-03-02T08:00:02.121Z' }

const send = (path: string, more: Record<string, string> = {}, body = '{}'): Promise<Response> =>
  fetch(new URL(path, endpoint.url), { method: 'POST', headers: { ...headers, ...more }, body })

const stored = async (): Promise<unknown> => {
  const { rows } = await pool.query(`SELECT (SELECT count(*)::int FROM pgq_demo_shop.webhooks) AS webhooks,
    (SELECT count(*)::int FROM pgq_demo.jobs) AS jobs`)
  return rows[0]
}

test('a webhook is accepted with its job, and known when it is delivered again', async () => {
  const first = await send('/webhooks/stripe')
  expect([first.status, first.headers.has('Location')]).toEqual([202, false])
  expect(await first.json()).toEqual({ job: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  for (let round = 0; round < 3; round++) expect((await send('/webhooks/stripe')).status).toBe(200)
  expect(await stored()).toEqual({ webhooks: 1, jobs: 1 })
})

test('the same webhook ten times at once is one job', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => send('/webhooks/stripe')))
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
  expect(statuses).toEqual([...Array(9).fill(200), 202])
  expect(await stored()).toEqual({ webhooks: 1, jobs: 1 })
})

test('one that was rolled back is taken when it is delivered again', async () => {
  beforeCommit = () => {
    throw new Mishap('rolled back on purpose')
  }
  expect((await send('/webhooks/stripe')).status).toBe(503)
  expect(await stored()).toEqual({ webhooks: 0, jobs: 0 })
  beforeCommit = () => {}
  expect((await send('/webhooks/stripe')).status).toBe(202)
  expect(await stored()).toEqual({ webhooks: 1, jobs: 1 })
})

test.for<[string, string, Record<string, string>, string]>([
  ['no id', '/webhooks/stripe', { 'webhook-id': '' }, '{}'],
  ['an endless id', '/webhooks/stripe', { 'webhook-id': 'x'.repeat(1_000) }, '{}'],
  ['no time', '/webhooks/stripe', { 'webhook-received-at': 'today' }, '{}'],
  ['an unknown provider', '/webhooks/nobody', {}, '{}'],
  ['a body that no column holds', '/webhooks/stripe', {}, 'a\0b'],
])('what is no webhook is the mistake of the sender: %s', async ([, path, more, body]) => {
  const response = await send(path, more, body)
  expect(response.status).toBe(400)
  expect(response.headers.get('Content-Type')).toMatch('application/problem+json')
  expect(await stored()).toEqual({ webhooks: 0, jobs: 0 })
})

test('what nobody expected is told to the operator, and not to the sender', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})
  beforeCommit = () => {
    throw new Error('INSERT secret')
  }
  const response = await send('/webhooks/stripe')
  expect([response.status, await response.text()]).toEqual([500, ''])
  expect(log).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ message: 'INSERT secret' }))
  log.mockRestore()
})
