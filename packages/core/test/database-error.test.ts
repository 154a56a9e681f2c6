import { expect, test } from 'vitest'
import { PgqError, type PgqErrorCode } from '../src/index.ts'
import { databaseError, isRetryable, sqlStateOf } from '../src/store/database-error.ts'

const fromServer = (code: string, about = 'pgq'): Error =>
  Object.assign(new Error(`said PostgreSQL of "${about}.jobs"`), { code })

test.each<[string, PgqErrorCode, string]>([
  ['3F000', 'SCHEMA_MISSING', 'no such schema'],
  ['42P01', 'SCHEMA_MISSING', 'no such table'],
  ['42883', 'SCHEMA_MISSING', 'no such function'],
  ['40001', 'DATABASE_CONFLICT', 'serialization failure'],
  ['40P01', 'DATABASE_CONFLICT', 'deadlock'],
  ['55P03', 'DATABASE_CONFLICT', 'lock timeout'],
  ['57014', 'DATABASE_UNAVAILABLE', 'cancelled'],
  ['57P01', 'DATABASE_UNAVAILABLE', 'terminated by an administrator'],
  ['57P02', 'DATABASE_UNAVAILABLE', 'crash of the server'],
  ['57P03', 'DATABASE_UNAVAILABLE', 'starting up'],
  ['25006', 'DATABASE_UNAVAILABLE', 'read-only since a failover'],
  ['25P03', 'DATABASE_UNAVAILABLE', 'idle in transaction'],
  ['08006', 'DATABASE_UNAVAILABLE', 'connection failure'],
  ['08P01', 'DATABASE_UNAVAILABLE', 'protocol violation, as poolers give it'],
  ['28P01', 'DATABASE_UNAVAILABLE', 'wrong password'],
  ['3D000', 'DATABASE_UNAVAILABLE', 'no such database'],
  ['53300', 'DATABASE_UNAVAILABLE', 'too many connections'],
  ['53100', 'DATABASE_UNAVAILABLE', 'disk full'],
  ['58030', 'DATABASE_UNAVAILABLE', 'input/output error'],
  ['PQ001', 'TRANSACTION_CLOSED', 'our own'],
  ['23505', 'DATABASE_REJECTED', 'unique violation'],
  ['23514', 'DATABASE_REJECTED', 'check violation'],
  ['42501', 'DATABASE_REJECTED', 'no permission'],
  ['22P05', 'DATABASE_REJECTED', 'NUL in JSON'],
  ['25P02', 'DATABASE_REJECTED', 'aborted transaction'],
  ['XX000', 'DATABASE_REJECTED', 'internal error'],
  ['P0001', 'DATABASE_REJECTED', 'raised by a trigger'],
])('SQLSTATE %s is %s: %s', (sqlState, code) => {
  const cause = fromServer(sqlState)
  const error = databaseError(cause, 'claim jobs', 'pgq')
  expect(error).toBeInstanceOf(PgqError)
  expect(error).toMatchObject({ code, sqlState, cause })
  expect(error.message).toContain('claim jobs')
  expect(error.message).toContain('said PostgreSQL')
  expect(isRetryable(error)).toBe(code === 'DATABASE_CONFLICT' || code === 'DATABASE_UNAVAILABLE')
})

test.each([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'EADDRNOTAVAIL',
  // A firewall's answer, and an exhausted process: five capital letters, but no SQLSTATE.
  'EPERM',
  'EMFILE',
])('%s from Node means that the database cannot be reached', (code) => {
  const error = databaseError(Object.assign(new Error(`connect ${code}`), { code }), 'connect', 'pgq')
  expect(error.code).toBe('DATABASE_UNAVAILABLE')
  expect(error.sqlState).toBeUndefined()
  expect(isRetryable(error)).toBe(true)
})

test.each([
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'Client network socket disconnected before secure TLS connection was established',
])('the driver’s “%s” means that the database went away', (message) => {
  expect(databaseError(new Error(message), 'claim jobs', 'pgq').code).toBe('DATABASE_UNAVAILABLE')
})

test('a host with several addresses that all refuse is told by the first', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED ::1:5432'), { code: 'ECONNREFUSED' })
  const error = databaseError(new AggregateError([refused, new Error('x')], ''), 'connect', 'pgq')
  expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', message: expect.stringContaining('::1:5432') })
})

test('a pool that was closed is told apart from one that is broken', () => {
  const error = databaseError(
    new Error('Cannot use a pool after calling end on the pool'),
    'list jobs',
    'pgq',
  )
  expect(error.code).toBe('CLOSED')
  expect(isRetryable(error)).toBe(false)
})

test('the SQLSTATE is found under what an adapter wrapped around it', () => {
  const wrapped = new Error('Failed query: select …', {
    cause: new Error('driver', { cause: fromServer('40001') }),
  })
  expect(sqlStateOf(wrapped)).toBe('40001')
  expect(databaseError(wrapped, 'enqueue jobs', 'pgq').code).toBe('DATABASE_CONFLICT')
  const cyclic = new Error('x')
  cyclic.cause = cyclic
  expect(sqlStateOf(cyclic)).toBeUndefined()
})

test('an error of ours passes as it is', () => {
  const error = new PgqError('TRANSACTION_CLOSED', 'too late')
  expect(databaseError(error, 'enqueue jobs', 'pgq')).toBe(error)
})

test('what is missing of the application, in a trigger for one, is not called our schema', () => {
  expect(databaseError(fromServer('42P01', 'public'), 'enqueue jobs', 'pgq').code).toBe('DATABASE_REJECTED')
})

test('a missing schema is named, with what to do', () => {
  expect(databaseError(fromServer('3F000', 'my "jobs"'), 'enqueue jobs', 'my "jobs"').message).toMatch(
    /"my \\"jobs\\"".*pgq\.migrate\(\)/,
  )
})

test.each([
  ['undefined', undefined],
  ['null', null],
  ['text', 'no'],
  ['a number', 5],
  ['a symbol', Symbol('x')],
  ['an object without a prototype', Object.create(null)],
  ['an object that cannot become text', { toString: null, valueOf: null }],
  ['an error without a message', new Error('')],
  ['an empty aggregate', new AggregateError([], '')],
  ['a code that is no text', Object.assign(new Error('x'), { code: 5 })],
])('whatever a driver throws becomes an error of ours: %s', (_what, thrown) => {
  const error = databaseError(thrown, 'claim jobs', 'pgq')
  expect(error).toBeInstanceOf(PgqError)
  expect(error.message).toMatch(/^cannot claim jobs: /)
})
