// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the name
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { defineQueue, handle, isPgqError } from '../src/index.ts'
import { until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'
import { SEED } from './support/seed.ts'

vi.setConfig({ testTimeout: 3_600_000 })

/** How many names: of queues, keys, metadata and workers. */
const NAMES = Number(process.env['PGQ_HOSTILE_NAMES'] ?? 400)

const BAD = [
  "'; DROP TABLE jobs; --",
  '"',
  "''",
  '\\',
  '$1',
  '$$',
  '%s',
  '{}',
  '{"a":',
  'NULL',
  '__proto__',
  'a\0b',
  '\ud800',
  '\u202e',
  '*',
  'wake',
  'cancel:',
]
const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(fc.constantFrom(...BAD), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
  fc.constantFrom(...BAD, 'x'.repeat(200), 'x'.repeat(5_000), ''),
)

test(`${NAMES} names of queues, keys and metadata come back as they are, or are refused by a code, and none is taken for SQL`, async () => {
  const { pgq, sql, schema } = await freshQueue()
  const before = await sql(
    `SELECT count(*)::int AS objects FROM pg_class WHERE relnamespace = $1::regnamespace`,
    [schema],
  )
  const accepted = new Map<string, { queue: string; key: string }>()
  let refused = 0
  for (const [queue, key, label] of fc.sample(fc.tuple(name, name, name), { numRuns: NAMES, seed: SEED })) {
    try {
      const options = {
        uniqueKey: key,
        metadata: JSON.parse(`{${JSON.stringify(label)}: ${JSON.stringify(label)}}`),
      }
      const { id, deduplicated } = await pgq.enqueue(defineQueue(queue), null, options)
      if (deduplicated) continue
      const job = await pgq.get(id)
      expect({ queue: job?.queue, key: job?.uniqueKey, metadata: JSON.stringify(job?.metadata) }).toEqual({
        queue,
        key,
        metadata: JSON.stringify(options.metadata),
      })
      accepted.set(id, { queue, key })
    } catch (error) {
      if (!isPgqError(error)) throw error
      expect(
        ['INVALID_OPTION', 'INVALID_PAYLOAD', 'INVALID_QUEUE'],
        `PGQ_FUZZ_SEED=${SEED}: ${error.message}`,
      ).toContain(error.code)
      refused++
    }
  }
  expect(accepted.size).toBeGreaterThan(NAMES / 5)
  expect(refused).toBeGreaterThan(0)
  // Found by its name, and nothing else with it.
  for (const [id, { queue }] of [...accepted].slice(0, 50)) {
    const { jobs } = await pgq.list({ queue: defineQueue(queue), limit: 1_000 })
    expect(jobs.map((job) => job.id)).toContain(id)
    expect(jobs.every((job) => job.queue === queue)).toBe(true)
  }
  const completed = collect(pgq, 'job.completed')
  const queues = [...new Set([...accepted.values()].map(({ queue }) => queue))]
  await work(
    pgq,
    queues.map((queue) => handle(defineQueue(queue), () => {})),
    { pollInterval: 20 },
  )
  await until('all are done', () => completed.length === accepted.size)
  expect(
    await sql(`SELECT count(*)::int AS objects FROM pg_class WHERE relnamespace = $1::regnamespace`, [
      schema,
    ]),
  ).toEqual(before)
})
