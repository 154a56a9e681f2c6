import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until, work } from '@pgq/test-support'

test('a worker whose claims hang is stalled, though its lease is renewed, and is not any more when they go on', async () => {
  const { pgq, pool, schema } = await freshQueue()
  const queue = defineQueue('idle')
  const worker = await work(pgq, [handle(queue, async () => {})], { lease: '2s', pollInterval: '100ms' })
  await until('it has claimed', () => worker.stalledMs < 50 && worker.status === 'running')
  const blocker = await pool.connect()
  await blocker.query('BEGIN')
  await blocker.query(`LOCK TABLE ${schema}.jobs_waiting IN ACCESS EXCLUSIVE MODE`)
  await until('it is stalled for longer than its lease', () => worker.stalledMs > 2_500)
  expect(worker.status).toBe('running') // which is why the status is not enough
  await blocker.query('ROLLBACK')
  blocker.release()
  await until('it goes on', () => worker.stalledMs < 500)
  await worker.stop()
  expect(worker.stalledMs).toBe(0)
})
