// oxlint-disable vitest/expect-expect -- expectStorable expects
// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the value
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordError, recordValue } from '../src/job/recorded.ts'
import { anyValue, oddValues } from './support/any-value.ts'
import { freshQueue } from './support/fresh-queue.ts'

const storable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
/** Escaped in JSON text, PostgreSQL refuses them all the same. */
const storableJson = (json: string): boolean => storable(json) && storable(JSON.stringify(JSON.parse(json)))

function expectStorable(value: unknown): void {
  const { name, message, stack = '' } = recordError(value)
  for (const text of [name, message, stack]) {
    expect(typeof text).toBe('string')
    expect(storable(text)).toBe(true)
  }
  expect(name.length).toBeLessThanOrEqual(200)
  expect(message.length).toBeLessThanOrEqual(4_096)
  expect(stack.length).toBeLessThanOrEqual(8_192)
  const { json, problem = '' } = recordValue(value)
  if (json !== null) expect(JSON.stringify(JSON.parse(json)).includes('\\u0000')).toBe(false)
  expect(problem.length).toBeLessThanOrEqual(8_192)
}

test('every odd value can be recorded as an error and as a result', () => {
  for (const value of oddValues()) expectStorable(value)
})

test('any value at all can be recorded as an error and as a result', () => {
  fc.assert(
    fc.property(anyValue, (make) => expectStorable(make())),
    { numRuns: 3_000 },
  )
})

test('PostgreSQL stores whatever was recorded', async () => {
  const { sql, schema } = await freshQueue()
  const sample = [...oddValues(), ...fc.sample(anyValue, 300).map((make) => make())]
  const rows = sample.map((value) => ({ error: recordError(value), result: recordValue(value) }))
  const texts = rows.map(({ error, result }) => ({
    error: JSON.stringify(error),
    message: error.message,
    json: result.json,
    problem: result.problem ?? null,
  }))
  const [stored] = await sql<{ rows: number }>(
    `INSERT INTO ${schema}.jobs (queue_name, payload, result, error, errors)
     SELECT 'sample', '1', json::jsonb, coalesce(problem, message), jsonb_build_array(error::jsonb)
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS row (error, message, json, problem)
     RETURNING (SELECT $5::int) AS rows`,
    [
      texts.map((row) => row.error),
      texts.map((row) => row.message),
      texts.map((row) => row.json),
      texts.map((row) => row.problem),
      texts.length,
    ],
  )
  expect(stored?.rows).toBe(sample.length)
})

test('what JSON can hold is recorded exactly, and without a note', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      fc.pre(storableJson(JSON.stringify(value)))
      const { json, problem } = recordValue(value)
      expect(problem).toBeUndefined()
      expect(JSON.parse(json ?? 'null')).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test.each([
  ['a BigInt', { n: 12n }, { n: '12' }, /BigInt became text/],
  ['NaN', [Number.NaN], [null], /NaN became null/],
  ['a function', { keep: 1, drop: () => 1 }, { keep: 1 }, /function was left out/],
  ['a Map', new Map([['a', 1]]), [['a', 1]], /Map became an array/],
  ['a Set', new Set([1, 2]), [1, 2], /Set became an array/],
  ['NUL', { 'k\0': 'v\0' }, { 'k\ufffd': 'v\ufffd' }, /U\+FFFD/],
  ['half a surrogate pair', '\ud83d', '\ufffd', /U\+FFFD/],
])('%s in a result is changed, and the change is noted', (_what, value, stored, note) => {
  const { json, problem } = recordValue(value)
  expect(JSON.parse(json as string)).toEqual(stored)
  expect(problem).toMatch(note)
})

test('a cycle in a result is cut, and the rest of it kept', () => {
  const tree: Record<string, unknown> = { name: 'root' }
  tree['parent'] = tree
  expect(recordValue(tree)).toEqual({
    json: '{"name":"root","parent":null}',
    problem: expect.stringContaining('cycle'),
  })
})

test('a result that is too large is left out, and the note says so', () => {
  const { json, problem } = recordValue('x'.repeat(2_000_000))
  expect(json).toBeNull()
  expect(problem).toMatch(/2000002 characters/)
})

test('a message of a gigabyte, almost, is clipped and costs no time', () => {
  const started = performance.now()
  const { message } = recordError(new Error('x'.repeat(2 ** 28)))
  expect(message).toHaveLength(4_096)
  expect(performance.now() - started).toBeLessThan(20_000)
})

test('a clipped message does not end in half a character', () => {
  expect(recordError(new Error(`x${'😀'.repeat(4_000)}`)).message.isWellFormed()).toBe(true)
})

test('the causes of an error are in its stack, five at most', () => {
  let error = new Error('cause 0')
  for (let depth = 1; depth < 9; depth++) error = new Error(`cause ${depth}`, { cause: error })
  error.stack = 'top'
  const { stack } = recordError(error)
  expect(stack).toMatch(/^top\nCaused by: /)
  expect(stack?.match(/Caused by/g)).toHaveLength(4)
})

test.each([
  [null, 'null'],
  [undefined, 'undefined'],
  ['just text', 'just text'],
  [42, '42'],
  [{ code: 7 }, '{"code":7}'],
  [new Error(''), /./],
])('what was thrown is told in the message: %o', (thrown, message) => {
  expect(recordError(thrown).message).toMatch(message)
})

/** Every level holds the next one twice: few objects, and no end of paths through them. */
function latticeOver(leaf: unknown, levels: number): unknown {
  let value = leaf
  for (let level = 0; level < levels; level++) value = [value, value]
  return value
}

test('a small object that JSON would blow up is given up after a bounded amount of work', () => {
  let reads = 0
  const leaf = {
    get value(): number {
      reads++
      return 1
    },
  }
  expect(recordValue(latticeOver(leaf, 21)).json).toBeNull()
  expect(reads, 'visits of one leaf').toBeLessThan(2 ** 20.5)
})

test('an array with a huge hole in it is given up after a bounded amount of work', () => {
  let asked = 0
  const holes = new Proxy(Array.from({ length: 0 }), {
    get: (target, key) => (key === 'length' ? 2_000_000 : Reflect.get(target, key)),
    has: (target, key) => {
      asked++
      return Reflect.has(target, key)
    },
  })
  expect(recordValue(holes).json).toBeNull()
  expect(asked).toBeLessThan(2 ** 20.5)
})
