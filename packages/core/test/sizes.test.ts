import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until } from '@pgq/test-support'
import { work } from './support/work.ts'

test('sizes come from statistics, and follow what happens', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('sized', { maxAttempts: 1 })
  expect(await pgq.sizes()).toEqual({ waiting: 0, processing: 0, completed: 0, dead: 0 })
  await pgq.enqueueMany(queue, Array.from({ length: 30 }, () => ({})))
  await pgq.enqueue(queue, {}, { delay: '1h' })
  await until('enqueues count', async () => (await pgq.sizes()).waiting === 31)
  let runs = 0
  const worker = await work(pgq, [
    handle(queue, () => {
      if (++runs <= 10) throw new Error('no')
    }),
  ])
  await until('they have run', () => runs === 30)
  await worker.stop() // its connections report what they did when they close
  await until('endings count', async () => {
    const { waiting, processing, completed, dead } = await pgq.sizes()
    return waiting === 1 && processing === 0 && completed === 20 && dead === 10
  })
})

test('no table of jobs is read for them', async () => {
  const { pgq, pool, schema } = await freshQueue()
  const blocker = await pool.connect()
  await blocker.query('BEGIN')
  // Whoever reads one would have to wait; and pgq.sizes would not answer.
  await blocker.query(`LOCK TABLE ${schema}.jobs_waiting, ${schema}.jobs_completed, ${schema}.jobs_dead`)
  expect(await pgq.sizes()).toMatchObject({ waiting: 0 })
  await blocker.query('ROLLBACK')
  blocker.release()
})
