import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { expect, test } from 'vitest'
import {
  type AnyQueue,
  createPgq,
  defineQueue,
  ERROR_CODES,
  handle,
  isPgqError,
  type PgqOptions,
  PgqError,
  type PgqErrorCode,
  type WorkerOptions,
} from '../src/index.ts'
import { show } from '../src/errors.ts'

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url))
const connectionString = 'postgres://127.0.0.1:1/none'
const named = (code: PgqErrorCode, name: string) =>
  expect.objectContaining({ name: 'PgqError', code, message: expect.stringContaining(name) })

test('every documented error code is used by the source, and has one sentence', () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file !== 'errors.ts',
  )
  const source = files.map((file) => readFileSync(SOURCE + file, 'utf8')).join('\n')
  for (const [code, meaning] of Object.entries(ERROR_CODES)) {
    expect(meaning).toMatch(/^[a-z].{10,}[^.]$/)
    expect(source.includes(`'${code}'`), code).toBe(true)
  }
})

test.each<[string, object]>([
  ['connectionString', {}],
  ['connectionString', { connectionString: undefined }],
  ['connectionString', { connectionString: '' }],
  ['connectionString', { connectionString: 'mysql://localhost/db' }],
  ['connectionString', { connectionString: 5 }],
  ['connectionString', { connectionString, pool: new pg.Pool() }],
  ['connection', { connection: null }],
  ['connection', { connection: 'postgres://localhost' }],
  ['pool', { pool: {} }],
  ['pool', { pool: null }],
  ['pool', { pool: new pg.Client() }],
  ['maxPayloadBytes', { connectionString, maxPayloadBytes: 999 }],
  ['maxPayloadBytes', { connectionString, maxPayloadBytes: 64_000_001 }],
  ['maxPayloadBytes', { connectionString, maxPayloadBytes: '1MB' }],
  ['retention', { connectionString, retention: '7d' }],
  ['retention.completed', { connectionString, retention: { completed: '23h' } }],
  ['retention.dead', { connectionString, retention: { dead: -1 } }],
  ['canceled', { connectionString, retention: { canceled: '1d' } }],
  ['connectionStrng', { connectionStrng: 'x' }],
  ['createPgq', null as never],
])('createPgq refuses a bad %s: %o', (name, options) => {
  expect(() => createPgq(options as PgqOptions)).toThrow(named('INVALID_OPTION', name))
})

test.each<[string, object]>([
  ['payload', { payload: {} }],
  ['payload', { payload: 'string' }],
  ['payload', { payload: () => true }],
  ['payload', { payload: null }],
  ['maxAttempts', { maxAttempts: 0 }],
  ['backoff', { backoff: '5s' }],
  ['timeout', { timeout: '25d' }],
  ['priority', { priority: 99_999 }],
  ['retries', { retries: 5 }],
])('defineQueue refuses a bad %s: %o', (name, options) => {
  expect(() => defineQueue('mail', options as never)).toThrow(named('INVALID_OPTION', name))
})

test.each([undefined, null, '', 5, 'q'.repeat(201), 'a\0b', '\ud800', {}, Symbol('mail')])(
  'a queue cannot be called %o',
  (name) => {
    expect(() => defineQueue(name as string)).toThrow(named('INVALID_QUEUE', 'queue'))
  },
)

test('a definition cannot be changed by accident', () => {
  const queue = defineQueue('mail')
  expect(() => {
    ;(queue as { maxAttempts: number }).maxAttempts = 0
  }).toThrow(TypeError)
})

const mail = defineQueue('mail')

test.each<[PgqErrorCode, string, () => unknown]>([
  ['INVALID_QUEUE', 'queue', () => handle('mail' as unknown as AnyQueue, () => {})],
  ['INVALID_OPTION', 'handler', () => handle(mail, undefined as never)],
  ['INVALID_OPTION', 'concurrency', () => handle(mail, () => {}, { concurrency: 0 })],
  ['INVALID_OPTION', 'concurrency', () => handle(mail, () => {}, { concurrency: 10_001 })],
  ['INVALID_OPTION', 'transactional', () => handle(mail, () => {}, { transactional: 1 } as never)],
  ['INVALID_OPTION', 'concurency', () => handle(mail, () => {}, { concurency: 5 } as never)],
])('handle refuses with %s a bad %s', (code, name, make) => {
  expect(make).toThrow(named(code, name))
})

test.each<[PgqErrorCode, string, unknown, object]>([
  ['INVALID_OPTION', 'handlers', [], {}],
  ['INVALID_OPTION', 'handlers', undefined, {}],
  ['INVALID_OPTION', 'handler', [null], {}],
  ['INVALID_OPTION', 'handler', [mail], {}],
  ['DUPLICATE_HANDLER', '"mail"', [handle(mail, () => {}), handle(mail, () => {})], {}],
  ['INVALID_OPTION', 'name', undefined, { name: '' }],
  ['INVALID_OPTION', 'concurrency', undefined, { concurrency: 0 }],
  ['INVALID_OPTION', 'lease', undefined, { lease: '500ms' }],
  ['INVALID_OPTION', 'lease', undefined, { lease: '11m' }],
  ['INVALID_OPTION', 'pollInterval', undefined, { pollInterval: 5 }],
  ['INVALID_OPTION', 'shutdownTimeout', undefined, { shutdownTimeout: '25h' }],
  ['INVALID_OPTION', 'listen', undefined, { listen: 'no' }],
  ['INVALID_OPTION', 'maintenance', undefined, { maintenance: 0 }],
  ['INVALID_OPTION', 'signals', undefined, { signals: 'yes' }],
  ['INVALID_OPTION', 'conccurency', undefined, { conccurency: 1 }],
])('createWorker refuses with %s a bad %s', (code, name, handlers, options) => {
  const pgq = createPgq({ connectionString })
  const given = Object.keys(options).length > 0 ? [handle(mail, () => {})] : handlers
  expect(() => pgq.createWorker(given as never, options as WorkerOptions)).toThrow(named(code, name))
})

test('an error of another copy of the package is recognised', () => {
  const other = Object.assign(new Error('x'), { name: 'PgqError', code: 'CLOSED' })
  expect(isPgqError(other)).toBe(true)
  expect(isPgqError(other, 'CLOSED')).toBe(true)
  expect(isPgqError(other, 'SCHEMA_MISSING')).toBe(false)
  expect(isPgqError(new Error('x'))).toBe(false)
  expect(isPgqError({ name: 'PgqError', code: 'CLOSED' })).toBe(false)
  expect(isPgqError(new PgqError('CLOSED', 'x'))).toBe(true)
})

test('a refused value is shown short, on one line, whatever it is', () => {
  const shown = [
    'x'.repeat(10_000),
    'two\nlines\0',
    Symbol('s'),
    12n,
    () => 1,
    class Thing extends Map {},
    [1, 2],
    { a: 1 },
    Object.create(null),
    new Map(),
    Object.create({
      get constructor() {
        throw new Error('no')
      },
    }),
    Proxy.revocable({}, {}).proxy,
    undefined,
    null,
    -0,
  ].map(show)
  for (const text of shown) {
    expect(text.length).toBeLessThan(120)
    expect(text).not.toMatch(/[\n\0]/)
  }
})
