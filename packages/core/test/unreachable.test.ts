import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { type Proxy, startProxy } from './support/proxy.ts'
import { latch, until, work } from '@pgq/test-support'
import { startWorkerProcess } from './support/worker-process.ts'

const fresh = await freshQueue()
const { schema, databaseUrl, pgq } = fresh

/** More than the time it should take, so that a slow machine does not fail; the measured times are printed. */
const LIMIT_MS = 20_000

/** Starts a worker whose job ends when there is no database any more, and takes the time of its stop. */
async function stopAfter(name: string, outage: (proxy: Proxy) => void): Promise<number> {
  const proxy = await startProxy(databaseUrl)
  const through = createPgq({ connectionString: proxy.url, schema })
  const queue = defineQueue(name)
  const goOn = latch()
  let running = 0
  const handler = handle(queue, () => {
    running++
    return goOn.opened
  })
  const worker = await work(through, [handler])
  await pgq.enqueue(queue, null)
  await until('it runs', () => running === 1)
  outage(proxy)
  await sleep(1_500) // whatever is asked now hangs
  goOn.open() // and there is an outcome that cannot be written
  await sleep(20)
  const startedAt = performance.now()
  await worker.stop()
  return performance.now() - startedAt
}

/** Takes the time from a SIGTERM to the end of a process whose database swallows everything. */
async function exitAfterStall(): Promise<number> {
  const proxy = await startProxy(databaseUrl)
  const worker = await startWorkerProcess({
    url: proxy.url,
    schema,
    queues: [{ name: 'process' }, { name: 'transactional', transactional: true }],
    options: { signals: true, shutdownTimeout: 100 },
  })
  const steps = [{ do: 'wait', ms: 60_000 }]
  await pgq.enqueue(defineQueue('process'), { steps })
  await pgq.enqueue(defineQueue('transactional'), { steps })
  await until('both run', () => worker.lines.filter(({ type }) => type === 'step.wait').length === 2)
  proxy.stall()
  await sleep(1_500)
  const startedAt = performance.now()
  worker.kill('SIGTERM')
  const late = sleep(2 * LIMIT_MS).then(() => ({ code: 'it still runs' }))
  expect(await Promise.race([worker.exited, late])).toMatchObject({ code: 0 })
  return performance.now() - startedAt
}

test('a stop while the database is gone or swallows everything is bounded, and the process ends', async () => {
  const took = await Promise.all([
    stopAfter('gone', (proxy) => {
      proxy.stall() // new connections get no answer either
      proxy.cut()
    }),
    stopAfter('swallowed', (proxy) => proxy.stall()),
    exitAfterStall(),
  ])
  console.log(`stops without a database took ${took.map((ms) => Math.round(ms)).join(', ')} ms`)
  for (const ms of took) expect(ms).toBeLessThan(LIMIT_MS)
})
