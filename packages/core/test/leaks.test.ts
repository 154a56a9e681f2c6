import { setTimeout as sleep } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'
import { expect, test, vi } from 'vitest'
import { createPgq, defineQueue, handle } from '../src/index.ts'
import { until } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'

vi.setConfig({ testTimeout: 3_600_000 })

/** How many jobs go through, in how many lives of a worker. `PGQ_LEAK_JOBS=100000` is the long run. */
const JOBS = Number(process.env['PGQ_LEAK_JOBS'] ?? 12_000)
const LIVES = 24
/** What may be left over, in bytes, whatever the number of jobs: caches of the driver and of V8. */
const SLACK = 4 * 1024 * 1024

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc') as () => void

async function heapUsed(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    gc()
    await sleep(5)
  }
  return process.memoryUsage().heapUsed
}

/** The timers that keep a process alive: tests and drivers have some for a moment. */
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

/** What else keeps it alive, by kind, and who listens to it. */
function handles(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo())
    if (kind !== 'Timeout' && kind !== 'Immediate') counts[kind] = (counts[kind] ?? 0) + 1
  for (const name of process.eventNames()) counts[`on ${String(name)}`] = process.listenerCount(name)
  return counts
}

test('a worker that is started and stopped again and again, and jobs by the thousand, leave nothing behind', async () => {
  const { databaseUrl, schema, sql } = await freshQueue()
  const queue = defineQueue('leaky')
  const pgq = createPgq({ connectionString: databaseUrl, schema })
  let done = 0
  const handler = handle(
    queue,
    async (job, ctx) => {
      done++
      ctx.signal.addEventListener('abort', () => {})
      if (done % 100 === 0) await ctx.progress({ done })
      if (job.attempt === 1 && done % 50 === 0) throw new Error('once')
      return { padding: 'x'.repeat(500) }
    },
    { concurrency: 20 },
  )
  const worker = pgq.createWorker([handler], { signals: true, pollInterval: 20 })
  const live = async (jobs: number): Promise<void> => {
    await worker.start()
    await pgq.enqueueMany(queue, Array(jobs).fill('y'.repeat(500)))
    await until('all have had a run', async () => {
      const rows = await sql(`SELECT FROM ${schema}.jobs WHERE status IN ('pending', 'processing') LIMIT 1`)
      return rows.length === 0
    })
    await worker.stop()
  }
  // What is compiled, cached and connected once is there then.
  for (let i = 0; i < 4; i++) await live(100)
  const before = { heap: await heapUsed(), handles: handles(), timers: timers() }
  for (let i = 0; i < LIVES; i++) await live(Math.ceil(JOBS / LIVES))
  expect(done).toBeGreaterThanOrEqual(JOBS)
  await until(
    'the sockets are closed',
    () => (handles()['TCPSocketWrap'] ?? 0) <= (before.handles['TCPSocketWrap'] ?? 0),
  )
  expect(handles()).toEqual(before.handles)
  expect(timers()).toBeLessThan(before.timers + LIVES / 2)
  const grown = (await heapUsed()) - before.heap
  expect(grown, 'bytes of heap that are left').toBeLessThan(SLACK)
  await pgq.close()
})
