// oxlint-disable vitest/expect-expect vitest/no-conditional-expect -- what must hold depends on the value
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { encodePayload } from '../src/job/payload.ts'
import { anyValue, oddValues } from './support/any-value.ts'
import { freshQueue } from './support/fresh-queue.ts'

const storable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
const HOSTILE = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  'a.b',
  '"',
  '\\',
  "'",
  '$1',
  '😀',
]

/** Text that JSON and PostgreSQL both hold: anything but NUL and half a surrogate pair. */
const text = fc.oneof(fc.string({ unit: 'binary' }).filter(storable), fc.constantFrom(...HOSTILE))
const numbers = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  // JSON knows no −0: see the test of it.
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
)
const { tree: json } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(text, numbers, fc.boolean(), fc.constant(null)),
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.array(fc.tuple(text, tie('tree')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
  ),
}))

const BATCH = 2_000

test('any JSON value comes back exactly as it went in', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('any json')
  await fc.assert(
    fc.asyncProperty(fc.array(json, { minLength: BATCH, maxLength: BATCH }), async (payloads) => {
      const results = await pgq.enqueueMany(queue, payloads)
      const stored = new Map<string, unknown>()
      for (let cursor: string | undefined; ;) {
        const page = await pgq.list({ queue, limit: 1_000, ...(cursor !== undefined && { cursor }) })
        for (const job of page.jobs) stored.set(job.id, job.payload)
        cursor = page.cursor
        if (cursor === undefined) break
      }
      expect(stored.size).toBe(BATCH)
      // Not toStrictEqual, which is led astray by a key of the name __proto__.
      const changed = results.findIndex(
        ({ id }, index) => !isDeepStrictEqual(stored.get(id), payloads[index]),
      )
      expect(payloads[changed], 'a payload that came back changed').toBeUndefined()
      expect(changed).toBe(-1)
      await pgq.delete({ queue })
    }),
    { numRuns: 2, endOnFailure: true },
  )
})

function check(value: unknown): void {
  let encoded
  try {
    encoded = encodePayload('any', value, 1_048_576)
  } catch (error) {
    expect(error).toMatchObject({
      name: 'PgqError',
      code: expect.stringMatching(/^(INVALID_PAYLOAD|PAYLOAD_TOO_LARGE)$/),
    })
    return
  }
  expect(encoded.text).toBe(JSON.stringify(value))
  expect(encoded.text).not.toMatch(/\\u0000|\\ud[89a-f]/i)
}

test('whatever value is given is refused with a code, or stored as JSON.stringify has it', () => {
  for (const value of oddValues()) check(value)
  fc.assert(
    fc.property(anyValue, (make) => check(make())),
    { numRuns: 2_000 },
  )
})

test('negative zero, which JSON does not know, is zero', async () => {
  const { pgq } = await freshQueue()
  const { id } = await pgq.enqueue(defineQueue('zero'), -0)
  expect((await pgq.get(id))?.payload).toBe(0)
})

test('names that objects inherit are ordinary queue names, keys and metadata', async () => {
  const { pgq } = await freshQueue()
  const names = HOSTILE.filter((name) => name !== '')
  for (const name of names) {
    const data = JSON.parse(`{${JSON.stringify(name)}: {"polluted": true}}`) as { [key: string]: never }
    const { id } = await pgq.enqueue(defineQueue(name), data, { metadata: data, uniqueKey: name })
    const job = await pgq.get(id)
    expect(job).toMatchObject({ queue: name, uniqueKey: name })
    expect(JSON.stringify([job?.payload, job?.metadata])).toBe(JSON.stringify([data, data]))
  }
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  const counts = await pgq.counts()
  expect(counts.map((count) => count.queue).toSorted()).toEqual(names.toSorted())
})

test('numbers at the ends of their range survive, and so does a text of every plane of Unicode', async () => {
  const { pgq } = await freshQueue()
  const payload = {
    numbers: [5e-324, 1.7976931348623157e308, Number.MAX_SAFE_INTEGER, 2 ** 64, 0.1 + 0.2, 1e21],
    text: '\u0001\u001f\u2028\ufffd\uffff\u{10000}\u{10ffff} \r\n\t \\u0000 %s {} \'";--',
  }
  const { id } = await pgq.enqueue(defineQueue('extremes'), payload)
  expect((await pgq.get(id))?.payload).toStrictEqual(payload)
})
