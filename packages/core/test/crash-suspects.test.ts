import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'
import { startWorkerProcess } from './support/worker-process.ts'

const innocents = (count: number) =>
  Array.from({ length: count }, () => ({ steps: [{ do: 'sleep', ms: 30 }] }))

test('a job that kills its process ends dead, and the fifty innocents beside it complete', async () => {
  const { pgq, schema, databaseUrl } = await freshQueue()
  const queue = defineQueue('poisoned', { maxAttempts: 3 })
  const before = await pgq.enqueueMany(queue, innocents(12))
  const pill = await pgq.enqueue(queue, { steps: [{ do: 'abort' }] })
  const after = await pgq.enqueueMany(queue, innocents(38))

  const deadline = performance.now() + 60_000
  const unfinished = async (): Promise<number> =>
    (await pgq.list({ queue, status: ['pending', 'processing', 'failed'] })).jobs.length
  let crashes = 0
  while ((await unfinished()) > 0 && performance.now() < deadline) {
    const worker = await startWorkerProcess({
      url: databaseUrl,
      schema,
      queues: [{ name: 'poisoned', concurrency: 20 }],
      options: { lease: '1s', pollInterval: 50 },
    })
    while (!worker.isGone && (await unfinished()) > 0 && performance.now() < deadline) await sleep(50)
    if (worker.isGone) crashes++
    worker.kill('SIGKILL')
    await worker.exited
  }
  expect(await pgq.get(pill.id)).toMatchObject({ status: 'dead', attempts: 3 })
  const { jobs } = await pgq.list({ queue })
  const others = jobs.filter(({ id }) => id !== pill.id)
  expect(
    others.filter(({ status }) => status !== 'completed').map(({ id, status }) => ({ id, status })),
  ).toEqual([])
  expect(others).toHaveLength(before.length + after.length)
  expect(crashes).toBe(3)
})

/** Makes jobs that look as if they had been in hand at two crashes. */
const suspect = (schema: string): string =>
  `INSERT INTO ${schema}.jobs (queue_name, payload, crashes, attempts, status, fence, scheduled_for)
   SELECT 'suspects', '"suspect"', 2, 1, 'failed', 4, now() - interval '1 hour' FROM generate_series(1, $1) RETURNING id`

test('suspects run alone, one after the other, and jobs beside them go on at full width', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue('suspects')
  await pgq.enqueueMany(queue, Array(40).fill('innocent'))
  await sql(suspect(schema), [3])
  const running: unknown[] = []
  const besideSuspects: unknown[] = []
  let widest = 0
  const completed = collect(pgq, 'job.completed')
  const handler = handle(queue, async (job) => {
    running.push(job.payload)
    widest = Math.max(widest, running.length)
    await sleep(20)
    if (running.includes('suspect')) besideSuspects.push(...running)
    running.splice(running.indexOf(job.payload), 1)
  })
  await work(pgq, [handler], { pollInterval: 50 })
  await until('all are done', () => completed.length === 43)
  expect(besideSuspects).toEqual(['suspect', 'suspect', 'suspect'])
  expect(widest).toBe(10)
})

test('suspects that wait for their turn are not in the hand of the worker that runs one of them', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue('suspects')
  const rows = await sql(suspect(schema), [5])
  const goOn = latch()
  const started: string[] = []
  const handler = handle(queue, (job) => {
    started.push(job.id)
    return goOn.opened
  })
  await work(pgq, [handler], { pollInterval: 50 })
  await until('one runs', () => started.length === 1)
  // If it kills the process now, the others must not be charged.
  await until(
    'the others are not claimed',
    async () => {
      const held = await sql(`SELECT id FROM ${schema}.jobs_processing WHERE status = 'processing'`)
      return held.length === 1 && held[0].id === started[0]
    },
    3_000,
  )
  expect(started).toHaveLength(1)
  goOn.open()
  await until(
    'all are done',
    async () => (await pgq.list({ queue, status: 'completed' })).jobs.length === rows.length,
  )
})

test('a suspect does not begin before what has ended is settled', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue('suspects')
  const rows = await sql(suspect(schema), [4])
  const unsettled: number[] = []
  const handler = handle(queue, async () => {
    // Read while this one runs: nothing else may still be in the name of the worker.
    const held = await sql(`SELECT id FROM ${schema}.jobs_processing WHERE status = 'processing'`)
    unsettled.push(held.length)
  })
  await work(pgq, [handler], { pollInterval: 50 })
  await until(
    'all are done',
    async () => (await pgq.list({ queue, status: 'completed' })).jobs.length === rows.length,
  )
  expect(unsettled).toEqual([1, 1, 1, 1])
})

test('a suspect does not wait for ever for a job that never ends, and the worker goes on after it', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue('suspects')
  const goOn = latch()
  const ran: unknown[] = []
  const handler = handle(queue, ({ payload }) => {
    ran.push(payload)
    return payload === 'endless' ? goOn.opened : undefined
  })
  await work(pgq, [handler], { pollInterval: 50, lease: '1s' })
  await pgq.enqueue(queue, 'endless')
  await until('it runs', () => ran.length === 1)
  await sql(suspect(schema), [1])
  await sleep(400)
  expect(ran).toEqual(['endless'])

  // Half a minute and a bit goes by.
  const now = performance.now.bind(performance)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 31_000)
  cleanUpAfterwards(async () => clock.mockRestore())
  await until('the suspect has run', () => ran.includes('suspect'), 10_000)
  await pgq.enqueue(queue, 'another one')
  await until('the worker goes on', () => ran.includes('another one'), 5_000)
  goOn.open()
})

test('many suspects are claimed about as often as they can be run, not all of them for each one', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue('suspects')
  const rows = await sql(suspect(schema), [14])
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handle(queue, async () => {}, { concurrency: 50 })], { pollInterval: 50 })
  await until('all are done', () => completed.length === rows.length)
  // They had a fence of 4. A claim raises it by one, and so does giving back.
  const [{ times }] = await sql(
    `SELECT avg(1 + (fence - 5) / 2.0)::float8 AS times FROM ${schema}.jobs WHERE queue_name = 'suspects'`,
  )
  expect(times).toBeLessThan(5)
})
