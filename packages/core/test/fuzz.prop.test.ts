import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import {
  type AnyQueue,
  createPgq,
  defineQueue,
  handle,
  isPgqError,
  type JobRecord,
  type Pgq,
} from '../src/index.ts'
import { recordError, recordValue } from '../src/job/recorded.ts'
import { cleanUpAfterwards, until } from '@pgq/test-support'
import { anyValue } from './support/any-value.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { SEED } from './support/seed.ts'

vi.setConfig({ testTimeout: 3_600_000 })

/** How many jobs go through a whole life, each with three values: its payload, a progress, and a result or an error. */
const LIVES = Number(process.env['PGQ_FUZZ_LIVES'] ?? 7_000)
const BATCH = 250

/** What one job is given, and what its handler does with it. */
interface Life {
  readonly payload: () => unknown
  readonly progress: () => unknown
  readonly ends: 'returns' | 'throws'
  readonly value: () => unknown
}

const anyJson = fc.jsonValue({ stringUnit: 'binary' }).map((value) => (): unknown => value)

const life: fc.Arbitrary<Life> = fc.record({
  payload: fc.oneof({ weight: 3, arbitrary: anyJson }, { weight: 1, arbitrary: anyValue }),
  progress: anyValue,
  ends: fc.constantFrom('returns', 'throws'),
  value: fc.oneof(anyValue, anyJson),
})

/** Enqueues it; returns nothing if the payload is refused, which must be by a code, and before anything is sent. */
async function enqueue(pgq: Pgq, queue: AnyQueue, { payload }: Life): Promise<string | undefined> {
  try {
    return (await pgq.enqueue(queue, payload())).id
  } catch (error) {
    if (isPgqError(error, 'INVALID_PAYLOAD') || isPgqError(error, 'PAYLOAD_TOO_LARGE')) return undefined
    throw error
  }
}

/** JSON's own idea of a value: what a payload may become, and no more. */
const viaJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null')

const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()

/** Whether it is what is stored of such a value. What had to be changed to be stored, or could not be, is told of in a note: `recorded.prop.test.ts` knows how. */
function isStored(stored: unknown, value: unknown): boolean {
  const { json, problem } = recordValue(value)
  return problem !== undefined || isDeepStrictEqual(stored, JSON.parse(json ?? 'null'))
}

/** What is wrong with a job that has ended, if anything. */
function complaint(
  job: JobRecord,
  { ends, value, progress }: Life,
  ended: 'returned' | 'threw' | undefined,
  isReported: boolean,
): string | undefined {
  if (ended === undefined) return 'its handler never ended'
  // What is awaited may throw, as a revoked proxy does: then it was thrown.
  const expected = ends === 'returns' ? ['completed', 'dead'] : ['dead']
  if (!expected.includes(job.status)) return `it is ${job.status} after its handler ${ended}`
  if (isReported && !isStored(job.progress, progress())) return 'its progress is another one'
  if (!isReported && job.progress !== null) return 'its progress was refused and stored all the same'
  if (job.status === 'completed')
    return isStored(job.result, value()) ? undefined : 'its result is another one'
  const [error] = job.errors
  if (!error || !isStorable(error.message) || !isStorable(error.name)) return 'its error was not stored'
  if (ends === 'returns') return undefined
  const { name, message } = recordError(value())
  return isDeepStrictEqual({ name: error.name, message: error.message }, { name, message })
    ? undefined
    : 'its error is another one'
}

test(`${3 * LIVES} payloads, results, errors and reports of progress come back as they went in, or are refused by a code; none is stuck`, async () => {
  const { pgq: direct, schema, databaseUrl, sql } = await freshQueue()
  const pgq = createPgq({ connectionString: databaseUrl, schema })
  cleanUpAfterwards(() => pgq.close())
  const lives = fc.sample(life, { numRuns: LIVES, seed: SEED })
  const seed = `PGQ_FUZZ_SEED=${SEED}`
  const byId = new Map<string, Life>()
  const ended = new Map<string, 'returned' | 'threw'>()
  const reported = new Set<string>()
  const changed: string[] = []
  const progressErrors = new Set<unknown>()
  const queue = defineQueue('fuzz', { maxAttempts: 1 })
  const handler = handle(
    queue,
    async (job, ctx) => {
      const mine = byId.get(job.id)
      if (!mine) throw new Error('a job that nobody has enqueued')
      if (!isDeepStrictEqual(job.payload, viaJson(mine.payload()))) changed.push(job.id)
      try {
        await ctx.progress(mine.progress() as never)
        reported.add(job.id)
      } catch (error) {
        progressErrors.add(isPgqError(error) ? error.code : error)
      }
      ended.set(job.id, mine.ends === 'returns' ? 'returned' : 'threw')
      const value = mine.value()
      if (mine.ends === 'throws') throw value
      return value
    },
    { concurrency: 50 },
  )
  const worker = pgq.createWorker([handler], { pollInterval: 20, shutdownTimeout: 0 })
  let stored = 0
  for (let i = 0; i < lives.length; i += BATCH) {
    const batch = lives.slice(i, i + BATCH)
    await worker.stop()
    const ids = await Promise.all(batch.map((one) => enqueue(direct, queue, one)))
    for (const [n, id] of ids.entries()) if (id !== undefined) byId.set(id, batch[n] as Life)
    stored += ids.filter((id) => id !== undefined).length
    await worker.start()
    await until(`${seed}: none is stuck`, async () => {
      const rows = await sql(
        `SELECT FROM ${schema}.jobs WHERE status IN ('pending', 'processing', 'failed') LIMIT 1`,
      )
      return rows.length === 0
    })
  }
  await worker.stop()
  expect(changed, `${seed}: payloads that came back changed`).toEqual([])
  let seen = 0
  for (let cursor: string | undefined; ;) {
    const page = await direct.list({ queue, limit: 1_000, ...(cursor !== undefined && { cursor }) })
    for (const job of page.jobs) {
      seen++
      expect(
        complaint(job, byId.get(job.id) as Life, ended.get(job.id), reported.has(job.id)),
        `${seed}: job ${job.id}`,
      ).toBeUndefined()
    }
    cursor = page.cursor
    if (cursor === undefined) break
  }
  expect(seen).toBe(stored)
  expect(stored).toBeGreaterThan(LIVES / 4)
  expect(
    [...progressErrors].filter((error) => typeof error !== 'string'),
    seed,
  ).toEqual([])
})
