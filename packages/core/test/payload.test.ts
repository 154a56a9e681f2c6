import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { isPgqError, type PgqError } from '../src/index.ts'
import { encodePayload } from '../src/job/payload.ts'

const MiB = 1_048_576
const encode = (payload: unknown, maxBytes = MiB) => encodePayload('mail', payload, maxBytes)

function refusal(payload: unknown): PgqError {
  try {
    encode(payload)
  } catch (error) {
    if (isPgqError(error)) return error
    throw error
  }
  throw new Error('it was taken')
}

class Money {
  cents = 5
}
const cycle: Record<string, unknown> = { list: [] }
cycle['list'] = [cycle]
const revocable = Proxy.revocable({}, {})
revocable.revoke()

test.each<[string, unknown, string]>([
  ['NUL in text', { a: ['x\0'] }, '$.a[0]'],
  ['NUL in a key', { ok: { 'k\0': 1 } }, String.raw`$.ok["k\u0000"]`],
  ['a lone high surrogate', { a: 'x\ud800' }, '$.a'],
  ['a lone low surrogate', ['\udc00'], '$[0]'],
  ['a lone surrogate in a key', { '\ud800': 1 }, String.raw`$["\ud800"]`],
  ['a BigInt', { id: 1n }, '$.id'],
  ['NaN', { n: Number.NaN }, '$.n'],
  ['Infinity', { 'odd key': [Number.POSITIVE_INFINITY] }, '$["odd key"][0]'],
  ['undefined in an array', { a: [1, undefined] }, '$.a[1]'],
  // oxlint-disable-next-line no-sparse-arrays -- the hole is the point
  ['a hole in an array', [1, , 3], '$[1]'],
  ['an array that is one huge hole', Array.from({ length: 1 }).fill(Array(4e9)), '$[0][0]'],
  ['nothing at all', undefined, '$'],
  ['a function', { f: () => 1 }, '$.f'],
  ['a class', { f: Money }, '$.f'],
  ['a symbol', { s: Symbol('x') }, '$.s'],
  ['a Map', { m: new Map() }, '$.m'],
  ['a Set', { s: new Set([1]) }, '$.s'],
  ['a typed array', { b: new Uint8Array(2) }, '$.b'],
  ['bytes, which JSON makes a list of numbers', { b: Buffer.from('x') }, '$.b'],
  ['a regular expression', { r: /x/ }, '$.r'],
  ['an error', { e: new Error('x') }, '$.e'],
  ['a promise', { p: Promise.resolve(1) }, '$.p'],
  ['a boxed number', { n: Object(5) }, '$.n'],
  ['an instance of a class', { price: new Money() }, '$.price'],
  ['a cycle', cycle, '$.list[0]'],
  ['a revoked proxy', revocable.proxy, '$'],
  ['an invalid date, which JSON makes null', { at: new Date(Number.NaN) }, '$.at'],
  ['a toJSON that gives NaN', { v: { toJSON: () => Number.NaN } }, '$.v'],
  ['a toJSON that gives nothing', { v: { toJSON: () => undefined } }, '$.v'],
  ['an object that inherits its properties', { o: Object.create({ inherited: 1 }) }, '$.o'],
])('%s is refused, with its path', (_what, payload, path) => {
  const error = refusal(payload)
  expect(error.code).toBe('INVALID_PAYLOAD')
  expect(error.issues).toEqual([{ path, message: expect.any(String) }])
  expect(error.message).toContain('"mail"')
})

test('a getter or a proxy that throws is refused, with the error as cause', () => {
  const cause = new Error('boom')
  const throwing = {
    get a(): never {
      throw cause
    },
  }
  for (const payload of [
    throwing,
    new Proxy(
      {},
      {
        ownKeys() {
          throw cause
        },
      },
    ),
    {
      toJSON() {
        throw cause
      },
    },
  ])
    expect(refusal(payload)).toMatchObject({ code: 'INVALID_PAYLOAD', cause })
})

test('what a getter says when it is checked is what is stored', () => {
  const answers = ['fine', 'a\0b', Number.NaN, 1n, undefined]
  const payload = {
    get value() {
      return answers.shift()
    },
  }
  expect(encode(payload).text).toBe('{"value":"fine"}')
})

test('what a toJSON says when it is checked is what is stored', () => {
  const answers: unknown[] = ['fine', 'a\0b']
  expect(encode({ at: { toJSON: () => answers.shift() } }).text).toBe('{"at":"fine"}')
})

test('a toJSON is given its key, as JSON.stringify gives it', () => {
  const seen: string[] = []
  const spy = { toJSON: (key: string) => (seen.push(key), 1) }
  encode({ 'a.b': spy, list: [spy], 'x"y': spy })
  encode(spy)
  for (const key of seen) expect(['a.b', '0', 'x"y', '']).toContain(key)
})

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { a: value }
  return value
}

test('depth is bounded', () => {
  expect(encode(nested(200)).text.length).toBeGreaterThan(200)
  expect(refusal(nested(201))).toMatchObject({ code: 'INVALID_PAYLOAD' })
  expect(refusal(nested(100_000)).message).toMatch(/deeper than 200/)
})

test('size is counted in bytes, not in characters', () => {
  expect(encode('x'.repeat(998), 1_000).text).toHaveLength(1_000)
  expect(() => encode('x'.repeat(999), 1_000)).toThrow(
    expect.objectContaining({
      code: 'PAYLOAD_TOO_LARGE',
      message: expect.stringMatching(/1001 bytes.*1000/),
    }),
  )
  expect(() => encode('語'.repeat(333), 1_000)).toThrow(
    expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }),
  )
})

test('ten megabytes are too large by default', () => {
  expect(() => encode({ file: 'x'.repeat(10 * MiB) })).toThrow(
    expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }),
  )
})

test('a small object that JSON would blow up is refused after a bounded amount of work', () => {
  let reads = 0
  let value: unknown = {
    get leaf(): number {
      reads++
      return 1
    },
  }
  for (let level = 0; level < 21; level++) value = [value, value]
  expect(() => encode(value)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }))
  expect(reads, 'visits of one leaf').toBeLessThan(2 ** 20.5)
})

test('properties that are undefined are left out, as in JSON', () => {
  expect(encode({ a: undefined, b: 1 }).text).toBe('{"b":1}')
})

test('dates and other values with a toJSON are stored as what it gives, and validated as that', () => {
  const { text, value } = encode({ at: new Date(0), price: { toJSON: () => '1.50' } })
  expect(value).toEqual({ at: '1970-01-01T00:00:00.000Z', price: '1.50' })
  expect(JSON.parse(text)).toEqual(value)
})

test('the same object twice is no cycle', () => {
  const shared = { a: 1 }
  expect(JSON.parse(encode([shared, shared]).text)).toEqual([shared, shared])
})

test('objects of another realm and without a prototype are plain', () => {
  const elsewhere: unknown = runInNewContext('({ a: [1, { b: null }] })')
  expect(encode(elsewhere).text).toBe('{"a":[1,{"b":null}]}')
  expect(encode(Object.assign(Object.create(null), { a: 1 })).text).toBe('{"a":1}')
})

test('a proxy of plain data is plain data', () => {
  expect(encode(new Proxy({ a: [1] }, {})).text).toBe('{"a":[1]}')
})
