import { expect, test } from 'vitest'
import { defineQueue, handle, type JobSizes } from '../src/index.ts'
import { jobSizes } from '../src/sql/read-jobs.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until, work } from '@pgq/test-support'

test('sizes come from statistics, and follow what happens', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('sized', { maxAttempts: 1 })
  expect(await pgq.sizes()).toEqual({ waiting: 0, processing: 0, completed: 0, dead: 0 })
  await pgq.enqueueMany(
    queue,
    Array.from({ length: 30 }, () => ({})),
  )
  await pgq.enqueue(queue, {}, { delay: '1h' })
  await until('enqueues count', async () => (await pgq.sizes()).waiting === 31)
  let runs = 0
  const worker = await work(pgq, [
    handle(queue, () => {
      if (++runs <= 10) throw new Error('no')
    }),
  ])
  await until('they have ended', async () => {
    const live = await pgq.counts({ status: ['pending', 'processing', 'failed'] })
    return runs === 30 && live.reduce((sum, { jobs }) => sum + jobs, 0) === 1
  })
  await worker.stop() // its connections report what they did when they close
  let sizes: JobSizes | undefined
  await until('endings count', async () => {
    sizes = await pgq.sizes()
    return sizes.waiting === 1 && sizes.processing === 0 && sizes.completed === 20 && sizes.dead === 10
  }).catch(() => {})
  expect(sizes).toEqual({ waiting: 1, processing: 0, completed: 20, dead: 10 })
})

test('more than ten thousand are estimated', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('many')
  await pgq.enqueueMany(queue, Array(10_500).fill(null))
  const sizes = await until('all are told of', async () => {
    const now = await pgq.sizes()
    return now.waiting === 10_500 && now
  })
  expect(sizes).toEqual({ waiting: 10_500, processing: 0, completed: 0, dead: 0 })
})

test('no table is read to its end for them, and history not at all', async () => {
  const { sql, schema } = await freshQueue()
  const { text } = jobSizes(tablesIn(schema))
  const plan = JSON.stringify(await sql(`EXPLAIN (FORMAT JSON) ${text}`))
  expect(plan.match(/"Node Type":"Limit"/g)).toHaveLength(2)
  expect(new Set(plan.match(/"Relation Name":"[a-z_]+"/g))).toEqual(
    new Set(['"Relation Name":"jobs_waiting"', '"Relation Name":"jobs_processing"']),
  )
})
