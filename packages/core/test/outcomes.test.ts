import { expect, test } from 'vitest'
import { defineQueue, fixed, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq, sql, schema } = await freshQueue()

const cyclic: Record<string, unknown> = { name: 'cycle' }
cyclic['self'] = cyclic
const throwing = (): never => {
  throw new Error('do not touch')
}
const hostileProxy = new Proxy(
  {},
  {
    get: throwing,
    has: throwing,
    ownKeys: throwing,
    getPrototypeOf: throwing,
    getOwnPropertyDescriptor: throwing,
  },
)
const withGetter = (property: string): Error =>
  Object.defineProperty(new Error('with a getter'), property, { get: throwing })
const revoked = Proxy.revocable({}, {})
revoked.revoke()

const thrown: Record<string, unknown> = {
  undefined,
  null: null,
  text: 'just text',
  'empty text': '',
  number: 42,
  bigint: 10n,
  symbol: Symbol('thrown'),
  function: () => {},
  object: { code: 'E_ODD' },
  'object without prototype': Object.create(null),
  cyclic,
  'error without message': new Error(''),
  'NUL and lone surrogate': new Error('bad \u0000 byte and \ud800'),
  '10 MB message': new Error('x'.repeat(10_000_000)),
  'cyclic cause': Object.assign(new Error('outer'), { cause: cyclic }),
  'message that is an object': Object.assign(new Error('x'), { message: { not: 'text' } }),
  'getter name': withGetter('name'),
  'getter message': withGetter('message'),
  'getter stack': withGetter('stack'),
  'getter code': withGetter('code'),
  'getter cause': withGetter('cause'),
  'error with PGQ name': Object.assign(new Error('fake'), { name: 'PgqError', code: 'LEASE_LOST' }),
  'fake interruption': Object.assign(new Error('fake'), { name: 'PgqError', code: 'WORKER_STOPPING' }),
  'aggregate error': new AggregateError([new Error('one'), null], 'several'),
  'toString that throws': { toString: throwing, toJSON: throwing },
  'hostile proxy': hostileProxy,
  'revoked proxy': revoked.proxy,
}

test.for(Object.keys(thrown))('an attempt that throws %s is recorded as a failure', async (key) => {
  const queue = defineQueue(`throws ${key}`, { maxAttempts: 2, backoff: fixed(0) })
  let runs = 0
  const dead = collect(pgq, 'job.dead')
  await work(
    pgq,
    [
      handle(queue, () => {
        runs++
        throw thrown[key]
      }),
    ],
    { pollInterval: 20, maintenance: false },
  )
  const { id } = await pgq.enqueue(queue, null)
  await until('it is dead', () => dead.length === 1, 5_000)
  const job = await pgq.get(id)
  expect(job).toMatchObject({ status: 'dead', attempts: 2 })
  expect(job?.error?.length).toBeGreaterThan(0)
  expect(job?.errors).toHaveLength(2)
  expect(JSON.stringify(job?.errors).length).toBeLessThan(40_000)
  expect(runs).toBe(2)
})

const results: Record<string, [unknown, unknown]> = {
  undefined: [undefined, null],
  null: [null, null],
  text: ['done', 'done'],
  zero: [0, 0],
  false: [false, false],
  'empty object': [{}, {}],
  NUL: ['a\u0000b', 'a\uFFFDb'],
  'lone surrogate': ['a\ud800b', 'a\uFFFDb'],
  'NUL in a key': [{ 'a\u0000': 1 }, { 'a\uFFFD': 1 }],
  BigInt: [{ n: 12345678901234567890n }, { n: '12345678901234567890' }],
  NaN: [
    [Number.NaN, Number.POSITIVE_INFINITY],
    [null, null],
  ],
  date: [new Date('2026-11-20T00:00:00Z'), '2026-11-20T00:00:00.000Z'],
  map: [new Map([['a', 1]]), [['a', 1]]],
  cycle: [cyclic, { name: 'cycle', self: null }],
  'own __proto__': [
    JSON.parse('{"__proto__": {"admin": true}}'),
    JSON.parse('{"__proto__": {"admin": true}}'),
  ],
  'a number too great for jsonb': [1e308 * 10, null],
  'too large': ['x'.repeat(2_000_000), null],
  function: [() => {}, null],
  symbol: [Symbol('result'), null],
  'getter that throws': [Object.defineProperty({}, 'x', { get: throwing, enumerable: true }), null],
  'toJSON that throws': [{ toJSON: throwing }, null],
  'toJSON to undefined': [{ toJSON: () => undefined }, null],
  'hostile proxy in a list': [[hostileProxy], null],
  'very deep': [
    JSON.parse(`${'['.repeat(1_000)}${']'.repeat(1_000)}`),
    JSON.parse(`${'['.repeat(200)}null${']'.repeat(200)}`),
  ],
}

test.for(Object.entries(results))(
  'a job that returns %s is completed and never run again',
  async ([key, [value, stored]]) => {
    const queue = defineQueue(`returns ${key}`, { backoff: fixed(0) })
    let runs = 0
    const done = collect(pgq, 'job.completed')
    const handler = handle(queue, () => {
      runs++
      return value
    })
    await work(pgq, [handler], { maintenance: false })
    const { id } = await pgq.enqueue(queue, null)
    await until('it is completed', () => done.length === 1, 5_000)
    expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1, result: stored })
    expect(runs).toBe(1)
  },
)

test('what was changed in a result is noted beside it', async () => {
  const queue = defineQueue('noted')
  const done = collect(pgq, 'job.completed')
  await work(pgq, [handle(queue, () => ({ n: 1n }))])
  const { id } = await pgq.enqueue(queue, null)
  await until('it is completed', () => done.length === 1)
  expect(done[0]?.problem).toContain('BigInt')
  expect((await pgq.get(id))?.error).toContain('BigInt')
})

test('many jobs that end with large results at once are all completed', async () => {
  const queue = defineQueue('large')
  let runs = 0
  const done = collect(pgq, 'job.completed')
  const large = 'r'.repeat(1_000_000)
  const handler = handle(
    queue,
    () => {
      runs++
      return large
    },
    { concurrency: 100 },
  )
  await pgq.enqueueMany(queue, Array(100).fill(null))
  await work(pgq, [handler])
  await until('they are completed', () => done.length === 100, 30_000)
  expect(runs).toBe(100)
  expect(done.every(({ problem }) => problem === undefined)).toBe(true)
})

test('a schema that throws over a stored payload ends the job with that on record', async () => {
  const odd = defineQueue('odd.schema', {
    maxAttempts: 1,
    payload: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          if (value === 'stored by hand') throw new Error('the schema broke')
          return { value }
        },
      },
    },
  })
  let runs = 0
  const dead = collect(pgq, 'job.dead')
  await work(pgq, [handle(odd, () => void runs++)])
  const [row] = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, payload, max_attempts) VALUES ('odd.schema', '"stored by hand"', 1) RETURNING id`,
  )
  await until('it is dead', () => dead.length === 1)
  expect(dead[0]?.error.message).toContain('schema')
  expect(await pgq.get(row.id)).toMatchObject({ status: 'dead', attempts: 1, errors: [{ attempt: 1 }] })
  expect(runs).toBe(0)
})
