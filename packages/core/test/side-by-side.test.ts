import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { defineQueue, fixed, handle, SnoozeJob } from '../src/index.ts'
import { until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'

test('while a newer release migrates, and after it, workers and producers of this one go on as before', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue<number>('old and new', { backoff: fixed(0) })
  const errors = collect(pgq, 'error')
  const completed = collect(pgq, 'job.completed')
  const handler = handle(
    queue,
    async (job, ctx) => {
      if (job.attempt === 1 && job.payload % 3 === 0) throw new Error('once')
      if (job.payload % 5 === 0 && job.fence === 1) throw new SnoozeJob(1)
      await ctx.progress(job.payload)
    },
    { concurrency: 10 },
  )
  await work(pgq, [handler], { pollInterval: 20 })
  let enqueued = 0
  let isMigrated = false
  const produce = async (): Promise<void> => {
    for (let after = 0; after < 20; after += Number(isMigrated)) {
      await Promise.all(Array.from({ length: 10 }, () => pgq.enqueue(queue, enqueued++)))
      await sleep(5)
    }
  }
  const producing = produce()
  await until('it is at work', () => completed.length > 50)
  // What a release that only adds would do, one statement after the other, each a transaction of its own.
  for (const ddl of [
    `ALTER TABLE ${schema}.jobs ADD COLUMN tenant text`,
    `ALTER TABLE ${schema}.jobs ADD COLUMN weight integer NOT NULL DEFAULT 1`,
    `ALTER TABLE ${schema}.workers ADD COLUMN zone text`,
    `CREATE INDEX ON ${schema}.jobs_waiting (tenant) WHERE tenant IS NOT NULL`,
    `CREATE TABLE ${schema}.limits (name text PRIMARY KEY)`,
    `INSERT INTO ${schema}.migrations (id, name, checksum, breaking) VALUES (99, 'only adds', 'x', false)`,
  ]) {
    await sql(`SET lock_timeout = '5s'; ${ddl}`)
    await sleep(20)
  }
  isMigrated = true
  await producing
  // A job of the new release, and a worker of this one that starts only now.
  await sql(`INSERT INTO ${schema}.jobs (queue_name, payload, tenant) VALUES ($1, '1', 'somebody')`, [
    queue.name,
  ])
  await work(pgq, [handler], { pollInterval: 20 })
  await until('all are done', () => completed.length === enqueued + 1)
  expect(await pgq.counts()).toEqual([{ queue: queue.name, status: 'completed', jobs: enqueued + 1 }])
  expect(errors).toEqual([])
  expect(await pgq.migrate()).toEqual({ version: 99, applied: [] })
})
