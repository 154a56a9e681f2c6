import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { startProxy } from './support/proxy.ts'
import { until } from '@pgq/test-support'
import { startWorkerProcess, type Step, type WorkerProcessOptions } from './support/worker-process.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()

const start = (options: Partial<WorkerProcessOptions> = {}): ReturnType<typeof startWorkerProcess> =>
  startWorkerProcess({
    url: databaseUrl,
    schema,
    queues: [{ name: 'signals', concurrency: 3 }],
    options: { signals: true, shutdownTimeout: 300 },
    ...options,
  })

const enqueue = async (...steps: Step[]): Promise<string> =>
  (await pgq.enqueue(defineQueue('signals'), { steps })).id

/** How long the process lives on, in ms; it is killed, and the test fails, when that is too long. */
async function exitsWithin(ms: number, worker: Awaited<ReturnType<typeof start>>): Promise<void> {
  const late = sleep(ms).then(() => 'it still runs')
  expect(await Promise.race([worker.exited, late]), `after ${ms} ms`).toEqual({ code: 0, signal: null })
}

test.for(['SIGTERM', 'SIGINT'] as const)(
  'on %s a worker finishes, gives back the rest, and the process ends by itself with nothing left behind',
  async (signal) => {
    const worker = await start()
    const ids = {
      finishes: await enqueue({ do: 'sleep', ms: 400 }),
      obeys: await enqueue({ do: 'wait', ms: 60_000 }),
      ignores: await enqueue({ do: 'forever' }),
      waits: await enqueue({ do: 'forever' }),
    }
    for (const step of ['sleep', 'wait', 'forever']) await worker.said(`step.${step}`)
    worker.kill(signal)
    await exitsWithin(10_000, worker)
    expect(await pgq.get(ids.finishes)).toMatchObject({ status: 'completed', attempts: 1 })
    for (const id of [ids.obeys, ids.ignores, ids.waits]) {
      expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0, lockedBy: null })
    }
    expect(await sql(`SELECT * FROM ${schema}.workers`)).toEqual([])
    expect(await sql(`SELECT * FROM ${schema}.leader`)).toEqual([])
    expect(worker.complaint).toBe('')
    await pgq.delete({ queue: 'signals' })
  },
)

test('an idle worker ends at once', async () => {
  const worker = await start()
  worker.kill('SIGTERM')
  await exitsWithin(3_000, worker)
  expect(worker.lines.map(({ type }) => type)).toContain('worker.stopped')
})

test('a second signal ends the process without waiting', async () => {
  const worker = await start({ options: { signals: true, shutdownTimeout: '1h' } })
  const id = await enqueue({ do: 'forever' })
  await worker.said('step.forever', id)
  worker.kill('SIGTERM')
  await worker.said('worker.stopping')
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: null, signal: 'SIGTERM' })
  await pgq.delete({ queue: 'signals' })
})

test('a worker without the option leaves signals alone', async () => {
  const worker = await start({ options: {} })
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: null, signal: 'SIGTERM' })
})

test('a transactional handler that never ends does not keep the process alive', async () => {
  const worker = await start({ queues: [{ name: 'stuck', transactional: true }] })
  const { id } = await pgq.enqueue(defineQueue('stuck'), { steps: [{ do: 'forever' }] })
  await worker.said('step.forever', id)
  worker.kill('SIGTERM')
  await exitsWithin(12_000, worker)
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0 })
})

test('nothing is left of the connections of a worker that was stopped', async () => {
  const proxy = await startProxy(databaseUrl)
  const worker = await start({ url: proxy.url })
  await until('they are open', () => proxy.size >= 4)
  worker.kill('SIGTERM')
  await exitsWithin(3_000, worker)
  expect(proxy.size).toBe(0)
})
