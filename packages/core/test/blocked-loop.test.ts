// oxlint-disable vitest/expect-expect -- `until` expects
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle } from '../src/index.ts'
import { until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'
import { startWorkerProcess, type WorkerProcess } from './support/worker-process.ts'
import { isPooled } from './support/pooled.ts'

// Who takes over must itself have renewed in time for a whole lease, which is much to ask of a busy machine with a short one.
const LEASE_MS = 2_000

/** A job blocks the event loop of one process, while a worker in this one would take it over. */
async function block(
  ms: number,
  maxBlocked?: number,
): Promise<{ attempts: number; ran: string[]; blocked: WorkerProcess }> {
  const { pgq, schema, databaseUrl } = await freshQueue()
  const queue = defineQueue('blocking')
  const { id } = await pgq.enqueue(queue, { steps: [{ do: 'block', ms }] })
  const options = { lease: LEASE_MS, maintenance: false, ...(maxBlocked !== undefined && { maxBlocked }) }
  const queues = [{ name: 'blocking', concurrency: 1 }]
  const blocked = await startWorkerProcess({ url: databaseUrl, schema, queues, options })
  await blocked.said('step.block', id)
  const ran: string[] = []
  await work(pgq, [handle(queue, (job) => void ran.push(job.id))], { lease: LEASE_MS })
  await until('it is completed', async () => (await pgq.get(id))?.status === 'completed')
  return { attempts: (await pgq.get(id))?.attempts ?? 0, ran, blocked }
}

// They mostly wait, each on a schema of its own.
const [allowed, notAllowed, tooLong] = await Promise.all([
  block(3 * LEASE_MS, 30_000),
  // Long enough for a rescue on a busy machine, which first looks twice.
  block(8 * LEASE_MS),
  block(10 * LEASE_MS, 2 * LEASE_MS),
])

test('a handler that blocks the event loop for three leases keeps its job, when that is allowed', async () => {
  const { attempts, ran, blocked } = allowed
  expect({ attempts, ran }).toEqual({ attempts: 1, ran: [] })
  await blocked.said('job.completed')
  expect(blocked.lines.map(({ type }) => type)).not.toContain('worker.lost')
})

test('without that it is rescued, and what it does then is not accepted', async () => {
  const { attempts, ran, blocked } = notAllowed
  expect({ attempts, ran: ran.length }).toEqual({ attempts: 2, ran: 1 })
  await blocked.said('job.lost')
})

test('a handler that blocks it for longer than is allowed loses its job', () => {
  const { attempts, ran } = tooLong
  expect({ attempts, ran: ran.length }).toEqual({ attempts: 2, ran: 1 })
})

test('a process that is killed while it is blocked has its job rescued as any other', async () => {
  const { pgq, schema, databaseUrl } = await freshQueue()
  const queue = defineQueue('blocking')
  const { id } = await pgq.enqueue(queue, { steps: [{ do: 'block', ms: 60_000 }] })
  const options = { lease: LEASE_MS, maxBlocked: '1h' } as const
  const blocked = await startWorkerProcess({
    url: databaseUrl,
    schema,
    queues: [{ name: 'blocking' }],
    options,
  })
  await blocked.said('step.block', id)
  blocked.kill('SIGKILL')
  await work(pgq, [handle(queue, () => {})], { lease: LEASE_MS })
  await until('it is completed', async () => (await pgq.get(id))?.status === 'completed')
})

test.skipIf(isPooled)(
  'the thread and its connection are there from start to stop, and settings that cannot be copied are refused',
  async () => {
    const { schema, databaseUrl, sql } = await freshQueue()
    const url = new URL(databaseUrl)
    url.searchParams.set('application_name', `thread of ${schema}`)
    const backends = async (): Promise<number> =>
      (await sql(`SELECT FROM pg_stat_activity WHERE application_name = $1`, [`thread of ${schema}`])).length
    const pgq = createPgq({ connectionString: url.href, schema })
    const errors = collect(pgq, 'error')
    const handler = handle(defineQueue('quiet'), () => {})
    const worker = await work(pgq, [handler], { lease: LEASE_MS, maxBlocked: '1m' })
    await until('five connections are open', async () => (await backends()) === 5)
    await worker.stop()
    await until('none is open', async () => (await backends()) === 0)
    await pgq.close()
    expect(errors).toEqual([])
    expect(process.getActiveResourcesInfo()).not.toContain('MessagePort')

    const secretive = createPgq({
      connection: { connectionString: databaseUrl, password: () => 'secret' },
      schema,
    })
    await expect(secretive.createWorker([handler], { maxBlocked: '1m' }).start()).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    })
    await secretive.close()
  },
)

test('an event loop may be blocked for no less than the lease', async () => {
  const { pgq } = await freshQueue()
  const make = (): unknown =>
    pgq.createWorker([handle(defineQueue('quiet'), () => {})], { lease: '10s', maxBlocked: '5s' })
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})
