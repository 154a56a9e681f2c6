import { expect, test } from 'vitest'
import { defineQueue, handle, isPgqError } from '../src/index.ts'
import type { Claim } from '../src/sql/held-claims.ts'
import type { Database } from '../src/store/database.ts'
import type { JobStore } from '../src/store/job-store.ts'
import { ProgressWriter } from '../src/worker/progress.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { latch, until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'
import { startWorkerProcess } from './support/worker-process.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()

test('a value is stored when the promise resolves, whatever its shape', async () => {
  const queue = defineQueue('shapes')
  const stored: unknown[] = []
  const done = collect(pgq, 'job.completed')
  const values = [1, 'text', null, false, { step: 'x', of: [1, 2] }, 'NUL \u0000']
  const handler = handle(queue, async (job, ctx) => {
    for (const value of values) {
      await ctx.progress(value)
      stored.push((await pgq.get(job.id))?.progress)
    }
  })
  await work(pgq, [handler])
  await pgq.enqueue(queue, null)
  await until('it is done', () => done.length === 1)
  expect(stored).toEqual([1, 'text', null, false, { step: 'x', of: [1, 2] }, 'NUL \uFFFD'])
})

test('a handler that reports in a tight loop does not write each value, and the last one is stored', async () => {
  const queue = defineQueue('loop')
  const done = collect(pgq, 'job.completed')
  const handler = handle(queue, async (_, ctx) => {
    const reports: Promise<void>[] = []
    for (let i = 0; i <= 10_000; i++) reports.push(ctx.progress(i))
    await Promise.all(reports)
  })
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, null)
  await until('it is done', () => done.length === 1)
  expect((await pgq.get(id))?.progress).toBe(10_000)
})

test('no value is lost when it arrives while the writer is finishing another one', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const written: string[] = []
    const store = {
      storeProgress: async (_database: Database, _claim: Claim, json: string) => {
        written.push(json)
        return true
      },
    } as unknown as JobStore
    const writer = new ProgressWriter({} as Database, store, { id: '', fence: 1, workerId: '' })
    const first = writer.write('first')
    // Arrives that many microtasks later: at some moment the first write is over and its writer not quite.
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    await Promise.all([first, writer.write('last')])
    expect(written.at(-1), `${turns} turns later`).toBe('"last"')
  }
})

test('progress of a job that was taken away is refused, and the refusal says why', async () => {
  const queue = defineQueue('taken')
  const started = latch()
  const taken = latch()
  const refused: unknown[] = []
  const lost = collect(pgq, 'job.lost')
  const handler = handle(queue, async (_, ctx) => {
    started.open()
    await taken.opened
    await ctx.progress(99).catch((error: unknown) => refused.push(error))
  })
  await work(pgq, [handler], { listen: false, lease: '60s' })
  const { id } = await pgq.enqueue(queue, null)
  await started.opened
  await sql(`UPDATE ${schema}.jobs SET status = 'pending', scheduled_for = 'infinity' WHERE id = $1`, [id])
  taken.open()
  await until('it is told', () => lost.length === 1)
  expect(refused.map((error) => isPgqError(error, 'LEASE_LOST'))).toEqual([true])
  expect((await pgq.get(id))?.progress).toBeNull()
})

test('progress that nobody awaits neither spoils the completion nor ends the process', async () => {
  const worker = await startWorkerProcess({
    url: databaseUrl,
    schema,
    queues: [{ name: 'unawaited', concurrency: 20 }],
    options: { signals: true },
  })
  const jobs = Array.from({ length: 200 }, () => ({ steps: [{ do: 'progress' }] }))
  const results = await pgq.enqueueMany(defineQueue('unawaited'), jobs)
  await until('all are completed', async () => {
    const [row] = await sql(
      `SELECT count(*)::int AS n FROM ${schema}.jobs_completed WHERE queue_name = 'unawaited'`,
    )
    const ended = worker.lines.find(({ type }) => type === 'unhandledRejection')
    if (ended) throw new Error(`an unhandled rejection has ended the process: ${ended.error}`)
    return row.n === results.length
  })
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  expect(worker.lines.filter(({ type }) => type === 'job.lost')).toEqual([])
  expect(worker.lines.filter(({ type }) => type === 'step.progress')).toHaveLength(200)
})
