import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  type AnyQueue,
  createPgq,
  defineQueue,
  type EnqueueOptions,
  type EnqueueResult,
  fixed,
  handle,
  type Schema,
} from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

const mail = defineQueue('mail', { payload: z.object({ to: z.email() }) })
const anything = defineQueue('anything')
const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })
/** What is refused before anything is sent needs no database: a call that gets through fails with another code. */
const unconnected = () => createPgq({ connectionString: 'postgres://127.0.0.1:1/none' })
const noon = new Date('2031-05-06T12:00:00.123Z')

test('a job without options is due at once, with the defaults of its queue', async () => {
  const { pgq } = await freshQueue()
  const before = Date.now()
  const { id, deduplicated } = await pgq.enqueue(mail, { to: 'a@example.com' })
  expect(deduplicated).toBe(false)
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const job = await pgq.get(id)
  expect(job).toEqual({
    id,
    queue: 'mail',
    payload: { to: 'a@example.com' },
    status: 'pending',
    priority: 0,
    attempts: 0,
    maxAttempts: 3,
    fence: 0,
    scheduledFor: job?.createdAt,
    createdAt: expect.any(Date),
    startedAt: null,
    completedAt: null,
    lockedBy: null,
    uniqueKey: null,
    group: null,
    error: null,
    errors: [],
    result: null,
    progress: null,
    metadata: {},
  })
  expect(job?.createdAt.getTime()).toBeGreaterThan(before - 5_000)
})

test('every option of a job is stored with it', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const { id } = await pgq.enqueue(
    mail,
    { to: 'a@example.com' },
    {
      scheduledFor: noon,
      priority: -3,
      maxAttempts: 7,
      backoff: fixed('9s'),
      timeout: '2m',
      uniqueKey: 'a@example.com',
      metadata: { trace: { id: 'x' }, tags: [1] },
    },
  )
  expect(await pgq.get(id)).toMatchObject({
    scheduledFor: noon,
    priority: -3,
    maxAttempts: 7,
    uniqueKey: 'a@example.com',
    metadata: { trace: { id: 'x' }, tags: [1] },
  })
  expect(await sql(`SELECT backoff, timeout_ms FROM ${schema}.jobs`)).toEqual([
    { backoff: { type: 'fixed', delayMs: 9_000, jitter: 0.1 }, timeout_ms: 120_000 },
  ])
})

test('the options of the queue stand where a job has none', async () => {
  const { pgq } = await freshQueue()
  const urgent = defineQueue('urgent', { priority: -5, maxAttempts: 9 })
  const { id } = await pgq.enqueue(urgent, null)
  expect(await pgq.get(id)).toMatchObject({ priority: -5, maxAttempts: 9 })
})

test('a delay counts from the call, by the clock of the database', async () => {
  const { pgq, sql, schema } = await freshQueue()
  for (const delay of ['90s', 90_000, '1.5m'] as const) await pgq.enqueue(anything, 1, { delay })
  await pgq.enqueue(anything, 1, { delay: '36525d' })
  expect(
    await sql(
      `SELECT extract(epoch FROM scheduled_for - created_at)::float8 AS s FROM ${schema}.jobs ORDER BY id`,
    ),
  ).toEqual([{ s: 90 }, { s: 90 }, { s: 90 }, { s: 36_525 * 86_400 }])
})

test('any moment of the common era can be scheduled', async () => {
  const { pgq } = await freshQueue()
  for (const moment of ['0001-01-01T00:00:00.000Z', '1969-07-20T20:17:40.001Z', '9999-12-31T23:59:59.999Z']) {
    const { id } = await pgq.enqueue(anything, 1, { scheduledFor: new Date(moment) })
    expect((await pgq.get(id))?.scheduledFor.toISOString()).toBe(moment)
  }
})

test.each<[string, object]>([
  ['delay', { delay: -1 }],
  ['delay', { delay: '1 week' }],
  ['delay', { delay: '36526d' }],
  ['delay', { delay: null }],
  ['delay', { delay: 1, scheduledFor: noon }],
  ['scheduledFor', { scheduledFor: new Date(Number.NaN) }],
  ['scheduledFor', { scheduledFor: new Date(8.64e15) }],
  ['scheduledFor', { scheduledFor: '2030-01-01' }],
  ['scheduledFor', { scheduledFor: 5 }],
  ['priority', { priority: 32_768 }],
  ['priority', { priority: -32_769 }],
  ['priority', { priority: 1.5 }],
  ['priority', { priority: '1' }],
  ['priority', { priority: Number.NaN }],
  ['maxAttempts', { maxAttempts: 0 }],
  ['maxAttempts', { maxAttempts: 1_000_001 }],
  ['maxAttempts', { maxAttempts: 2.5 }],
  ['timeout', { timeout: 0 }],
  ['timeout', { timeout: '25d' }],
  ['backoff', { backoff: () => 5 }],
  ['backoff', { backoff: 'exponential' }],
  ['backoff', { backoff: { ...fixed(1), type: 'other' } }],
  ['uniqueKey', { uniqueKey: '' }],
  ['uniqueKey', { uniqueKey: 'k'.repeat(501) }],
  ['uniqueKey', { uniqueKey: 'a\0b' }],
  ['uniqueKey', { uniqueKey: '\ud800' }],
  ['uniqueKey', { uniqueKey: 7 }],
  ['metadata', { metadata: [1] }],
  ['metadata', { metadata: null }],
  ['metadata', { metadata: 'text' }],
  ['metadata', { metadata: noon }],
  ['metadata', { metadata: { at: 1n } }],
  ['metadata', { metadata: { long: 'x'.repeat(70_000) } }],
  ['tx', { tx: null }],
  ['tx', { tx: {} }],
  ['tx', { tx: 'tx' }],
  ['maxAttemps', { maxAttemps: 5 }],
  ['runAt', { runAt: noon }],
  ['enqueue', null as never],
  ['enqueue', [] as never],
])('a bad %s is refused and named, before any connection: %o', async (option, options) => {
  await expect(unconnected().enqueue(anything, 1, options as EnqueueOptions)).rejects.toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(option) }),
  )
})

test.each([undefined, null, 'mail', {}, { name: 'mail' }, { name: 'mail', maxAttempts: 3 }, () => {}])(
  'what is not a queue is refused: %o',
  async (queue) => {
    const pgq = unconnected()
    await expect(pgq.enqueue(queue as AnyQueue, 1)).rejects.toThrow(coded('INVALID_QUEUE'))
    await expect(pgq.enqueueMany(queue as AnyQueue, [1])).rejects.toThrow(coded('INVALID_QUEUE'))
  },
)

test('a payload that its schema refuses is not written, and every issue has its path', async () => {
  const { pgq } = await freshQueue()
  const orders = defineQueue('orders', {
    payload: z.object({ items: z.array(z.object({ 'unit price': z.number() })), email: z.email() }),
  })
  const bad = { items: [{ 'unit price': 1 }, { 'unit price': 'free' as never }], email: 'nobody' }
  const error: unknown = await pgq.enqueue(orders, bad).catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'INVALID_PAYLOAD',
    message: expect.stringContaining('"orders"'),
    issues: [
      { path: '$.items[1]["unit price"]', message: expect.any(String) },
      { path: '$.email', message: expect.any(String) },
    ],
  })
  expect(await pgq.counts()).toEqual([])
})

test('an asynchronous schema is waited for', async () => {
  const { pgq } = await freshQueue()
  const users = defineQueue('users', {
    payload: z.object({ id: z.number().refine((id) => Promise.resolve(id > 0), 'unknown') }),
  })
  await expect(pgq.enqueue(users, { id: -1 })).rejects.toThrow(coded('INVALID_PAYLOAD'))
  await expect(pgq.enqueue(users, { id: 1 })).resolves.toMatchObject({ deduplicated: false })
  expect(await pgq.counts()).toEqual([{ queue: 'users', status: 'pending', jobs: 1 }])
})

test('an asynchronous schema may answer with any thenable', async () => {
  const { pgq } = await freshQueue()
  const refusing: Schema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: () =>
        // oxlint-disable-next-line unicorn/no-thenable -- a promise of another library or realm
        ({ then: (done: (result: object) => void) => done({ issues: [{ message: 'no' }] }) }) as never,
    },
  }
  await expect(pgq.enqueue(defineQueue('q', { payload: refusing }), 1)).rejects.toThrow(
    coded('INVALID_PAYLOAD'),
  )
})

test('a schema that throws refuses the payload, alone and among many', async () => {
  const { pgq } = await freshQueue()
  const cause = new Error('connection to the price list timed out')
  for (const validate of [
    () => Promise.reject(cause),
    () => {
      throw cause
    },
  ]) {
    const broken: Schema = { '~standard': { version: 1, vendor: 'test', validate } }
    const queue = defineQueue('broken', { payload: broken })
    await expect(pgq.enqueue(queue, 1)).rejects.toThrow(coded('INVALID_PAYLOAD'))
    await expect(pgq.enqueueMany(queue, [1, 2])).rejects.toThrow(coded('INVALID_PAYLOAD'))
  }
})

test('what is stored is what was given, not what the schema makes of it: the handler gets that', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('visits', {
    payload: z.object({
      at: z.iso.datetime().transform((text) => new Date(text)),
      times: z.number().default(1),
    }),
  })
  const seen: unknown[] = []
  const worker = pgq.createWorker([handle(queue, (job) => void seen.push(job.payload))])
  const done = new Promise((resolve) => pgq.events.on('job.completed', resolve))
  const { id } = await pgq.enqueue(queue, { at: '2030-01-01T00:00:00Z' })
  expect((await pgq.get(id))?.payload).toEqual({ at: '2030-01-01T00:00:00Z' })
  await worker.start()
  await done
  expect(seen).toEqual([{ at: new Date('2030-01-01T00:00:00Z'), times: 1 }])
})

test('of jobs with one key there is one at a time, and the result says which one stands', async () => {
  const { pgq } = await freshQueue()
  const options = { uniqueKey: 'user 7' }
  const first = await pgq.enqueue(anything, 1, options)
  expect(first.deduplicated).toBe(false)
  expect(await pgq.enqueue(anything, 2, options)).toEqual({ id: first.id, deduplicated: true })
  // Another queue, another key: other jobs.
  expect(await pgq.enqueue(mail, { to: 'a@b.de' }, options)).toMatchObject({ deduplicated: false })
  expect(await pgq.enqueue(anything, 2, { uniqueKey: 'user 8' })).toMatchObject({ deduplicated: false })
  expect((await pgq.get(first.id))?.payload).toBe(1)
})

test('calls at the same time with one key agree on one job', async () => {
  const { pgq } = await freshQueue()
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, n) => pgq.enqueue(anything, n, { uniqueKey: `key ${n % 3}` })),
  )
  expect(results.filter((result) => !result.deduplicated)).toHaveLength(3)
  expect(new Set(results.map((result) => result.id)).size).toBe(3)
  for (const { id } of results) expect(await pgq.get(id)).not.toBeNull()
})

test.each(['completed', 'dead', 'cancelled'] as const)(
  'a key is free again once its job is %s',
  async (ending) => {
    const { pgq, sql, schema } = await freshQueue()
    const first = await pgq.enqueue(anything, 1, { uniqueKey: 'k' })
    await sql(`UPDATE ${schema}.jobs SET status = $1`, [ending])
    const second = await pgq.enqueue(anything, 2, { uniqueKey: 'k' })
    expect(second.deduplicated).toBe(false)
    expect(second.id).not.toBe(first.id)
  },
)

test('one event tells of the jobs that were written', async () => {
  const { pgq } = await freshQueue()
  const told: unknown[] = []
  pgq.events.on('job.enqueued', (event) => told.push(event))
  const first: EnqueueResult = await pgq.enqueue(anything, 1, { uniqueKey: 'k' })
  await pgq.enqueue(anything, 2, { uniqueKey: 'k' })
  const many = await pgq.enqueueMany(anything, [3, 4])
  expect(told).toEqual([
    { queue: 'anything', ids: [first.id], deduplicated: 0, inTransaction: false },
    { queue: 'anything', ids: [], deduplicated: 1, inTransaction: false },
    { queue: 'anything', ids: many.map(({ id }) => id), deduplicated: 0, inTransaction: false },
  ])
})
