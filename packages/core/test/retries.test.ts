import { expect, test } from 'vitest'
import { defineQueue, fixed, handle, linear, list, RetryJob } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq, sql, schema } = await freshQueue()

/** How long after its failure the next attempt is due, in ms by the database's clock. */
async function delayOf(id: string): Promise<number> {
  const rows = await until('the attempt has failed', async () => {
    const found = await sql(
      `SELECT date_part('epoch', scheduled_for - (errors -> -1 ->> 'at')::timestamptz) * 1000 AS ms
       FROM ${schema}.jobs_waiting WHERE id = $1 AND status = 'failed'`,
      [id],
    )
    return found.length > 0 && found
  })
  return rows[0].ms
}

/** Both times are read while the statement runs, microseconds apart. */
const SLACK_MS = 20

test('by default a job is tried again after 2, 4 and 8 seconds and up to 10% more, and is dead after its last attempt', async () => {
  const queue = defineQueue('default.policy', { maxAttempts: 4 })
  const dead = collect(pgq, 'job.dead')
  const failed = collect(pgq, 'job.failed')
  await work(pgq, [
    handle(queue, (job) => Promise.reject(new RangeError(`attempt ${job.attempt} went wrong`))),
  ])
  const { id } = await pgq.enqueue(queue, null)
  for (const [index, delay] of [2_000, 4_000, 8_000].entries()) {
    await until(`attempt ${index + 1} has failed`, () => failed.length === index + 1)
    const measured = await delayOf(id)
    expect(measured).toBeGreaterThanOrEqual(delay - SLACK_MS)
    expect(measured).toBeLessThanOrEqual(delay * 1.1 + SLACK_MS)
    expect(failed[index]?.delayMs).toBeCloseTo(measured, -2)
    expect(await pgq.retry(id)).toBe(1) // the test need not wait for it
  }
  await until('the job is dead', () => dead.length === 1)
  const job = await pgq.get(id)
  expect(job).toMatchObject({ status: 'dead', attempts: 4, error: 'attempt 4 went wrong', lockedBy: null })
  expect(job?.errors).toMatchObject(
    [1, 2, 3, 4].map((attempt) => ({
      attempt,
      name: 'RangeError',
      message: `attempt ${attempt} went wrong`,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      stack: expect.stringContaining('RangeError'),
    })),
  )
})

test('a default queue gives a job three attempts, and waits before the second one for real', async () => {
  const queue = defineQueue('default.attempts')
  const attempts: number[] = []
  await work(pgq, [
    handle(queue, (job) => {
      attempts.push(job.attempt)
      throw new Error('no')
    }),
  ])
  const { id } = await pgq.enqueue(queue, null)
  await until('the second attempt has begun', () => attempts.length === 2)
  const [row] = await sql(
    `SELECT date_part('epoch', started_at - (errors -> 0 ->> 'at')::timestamptz) * 1000 AS ms FROM ${schema}.jobs WHERE id = $1`,
    [id],
  )
  expect(row.ms).toBeGreaterThanOrEqual(2_000 - SLACK_MS)
  expect(await pgq.get(id)).toMatchObject({ maxAttempts: 3 })
})

test('a job that succeeds after failures keeps their record', async () => {
  const queue = defineQueue('recovers', { backoff: fixed(0) })
  const done = collect(pgq, 'job.completed')
  await work(pgq, [
    handle(queue, (job) => {
      if (job.attempt < 3) throw new Error(`attempt ${job.attempt}`)
      return 'at last'
    }),
  ])
  const { id } = await pgq.enqueue(queue, null)
  await until('it is done', () => done.length === 1)
  const job = await pgq.get(id)
  expect(job).toMatchObject({ status: 'completed', attempts: 3, result: 'at last' })
  expect(job?.errors.map((error) => error.message)).toEqual(['attempt 1', 'attempt 2'])
})

test('backoff and attempts of one job go before those of its queue', async () => {
  const queue = defineQueue('own.policy', { backoff: fixed('1h'), maxAttempts: 1 })
  await work(pgq, [handle(queue, () => Promise.reject(new Error('no')))])
  const jitter = { jitter: 0 }
  const enqueue = async (backoff: Parameters<typeof pgq.enqueue>[2]): Promise<string> =>
    (await pgq.enqueue(queue, null, { maxAttempts: 5, ...backoff })).id
  const ids = [
    await enqueue({}),
    await enqueue({ backoff: linear({ step: '7s', ...jitter }) }),
    await enqueue({ backoff: list(['11s', '13s'], jitter) }),
  ]
  const delays = await Promise.all(ids.map(delayOf))
  for (const [index, expected] of [3_600_000, 7_000, 11_000].entries()) {
    expect(delays[index]).toBeGreaterThanOrEqual(expected - SLACK_MS)
    expect(delays[index]).toBeLessThanOrEqual(expected * 1.1 + SLACK_MS)
  }
})

test('a backoff function decides by attempt and error; when it fails itself the default policy goes', async () => {
  const wise = defineQueue('wise', {
    backoff: (attempt, error) => attempt * (error instanceof TypeError ? 5_000 : 1),
  })
  const broken = defineQueue('broken', {
    backoff: () => {
      throw new Error('no idea')
    },
  })
  await work(
    pgq,
    [wise, broken].map((queue) => handle(queue, () => Promise.reject(new TypeError('no')))),
  )
  const [one, other] = await Promise.all([pgq.enqueue(wise, null), pgq.enqueue(broken, null)])
  expect(await delayOf(one.id)).toBeCloseTo(5_000, -2)
  expect(await delayOf(other.id)).toBeGreaterThanOrEqual(2_000 - SLACK_MS)
})

test('a policy of one job that somebody spoilt by hand does not keep it from being tried again', async () => {
  const queue = defineQueue('spoilt', { backoff: fixed('90s', { jitter: 0 }) })
  await work(pgq, [handle(queue, () => Promise.reject(new Error('no')))])
  const [row] = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, backoff) VALUES ('spoilt', '{"type": "exponential", "baseMs": "soon"}') RETURNING id`,
  )
  expect(await delayOf(row.id)).toBeCloseTo(90_000, -2)
})

test('the records of the newest hundred failures are kept', async () => {
  const queue = defineQueue('failing')
  const dead = collect(pgq, 'job.dead')
  const older = Array.from({ length: 99 }, (_, i) => ({
    attempt: i + 1,
    at: '2026-11-20T00:00:00Z',
    message: 'old',
  }))
  const [row] = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, attempts, max_attempts, errors) VALUES ('failing', 'failed', 99, 103, $1) RETURNING id`,
    [JSON.stringify(older)],
  )
  const handler = handle(queue, (job) =>
    Promise.reject(new RetryJob({ after: 0, reason: `attempt ${job.attempt}` })),
  )
  await work(pgq, [handler], { pollInterval: 20 })
  await until('it is dead', () => dead.length === 1)
  const job = await pgq.get(row.id)
  expect(job?.errors.map((error) => error.attempt)).toEqual(Array.from({ length: 100 }, (_, i) => i + 4))
  expect(job?.errors.at(-1)?.message).toBe('attempt 103')
})
