import { setTimeout as sleep } from 'node:timers/promises'
import { type Postgres, startPostgres } from '@pgq/embedded-postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPgq, defineQueue, handle, type Pgq } from '../src/index.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { startProxy } from './support/proxy.ts'
import { collect } from './support/collect.ts'

const LEASE_MS = 1_000
/** How long an outage lasts: ten leases, the shortest that there are. */
const OUTAGE_MS = 10 * LEASE_MS
const queue = defineQueue('long')

/** Runs 20 long jobs in two workers, through an outage, and lets them end well after it. */
async function liveThrough(
  pgq: Pgq,
  outage: () => Promise<void>,
): Promise<{ starts: number; ids: string[] }> {
  let starts = 0
  const goOn = latch()
  const completed = collect(pgq, 'job.completed')
  const handler = handle(queue, () => {
    starts++
    return goOn.opened
  })
  const ids = (await pgq.enqueueMany(queue, Array(20).fill(null))).map(({ id }) => id)
  const workers = [
    await work(pgq, [handler], { lease: LEASE_MS }),
    await work(pgq, [handler], { lease: LEASE_MS }),
  ]
  await until('all are running', () => starts === 20)
  const before = workers.map((worker) => worker.id)
  await outage()
  // Every lease has run out long ago. Whoever leads now looks twice, and must find that both workers live.
  await sleep(3 * LEASE_MS)
  expect(workers.map((worker) => worker.id)).toEqual(before)
  goOn.open()
  const done = (): number => completed.filter(({ job }) => job.queue === queue.name).length
  await until('all are done', () => done() === 20)
  return { starts, ids }
}

/** All connections hang, and then everything goes on. */
async function throughStall(): Promise<void> {
  const { schema, databaseUrl, pgq: direct } = await freshQueue()
  const proxy = await startProxy(databaseUrl)
  const pgq = createPgq({ connectionString: proxy.url, schema })
  cleanUpAfterwards(() => pgq.close())
  const lost = collect(pgq, 'worker.lost')
  const paused = collect(pgq, 'worker.paused')
  const resumed = collect(pgq, 'worker.resumed')
  const { starts, ids } = await liveThrough(pgq, async () => {
    proxy.stall()
    await sleep(OUTAGE_MS)
    proxy.resume()
    await until('both workers have resumed', () => resumed.length === 2)
  })
  expect(starts).toBe(20)
  expect(lost).toEqual([])
  expect(paused).toHaveLength(2)
  for (const id of ids) {
    expect(await direct.get(id)).toMatchObject({ status: 'completed', attempts: 1, fence: 1, errors: [] })
  }
}

/** One worker, which leads, gets back to the database a lease before the other one: in time for whoever has patience, and none else. */
async function throughUnequalStall(): Promise<void> {
  const { schema, databaseUrl, pgq: direct } = await freshQueue()
  const proxies = [await startProxy(databaseUrl), await startProxy(databaseUrl)]
  const sides = proxies.map((proxy) => createPgq({ connectionString: proxy.url, schema }))
  let starts = 0
  const goOn = latch()
  const handler = handle(
    queue,
    () => {
      starts++
      return goOn.opened
    },
    { concurrency: 1 },
  )
  await direct.enqueueMany(queue, [1, 2])
  const lost = sides.map((side) => collect(side, 'worker.lost'))
  const led = sides.map((side) => collect(side, 'leader.elected'))
  for (const [i, side] of sides.entries()) {
    cleanUpAfterwards(() => side.close())
    await work(side, [handler], { lease: LEASE_MS })
    await until('its job runs', () => starts === i + 1)
  }
  await until('the first leads', () => led[0]?.length === 1)
  for (const proxy of proxies) proxy.stall()
  await sleep(2 * LEASE_MS)
  proxies[0]?.resume()
  await sleep(1.1 * LEASE_MS)
  proxies[1]?.resume()
  await sleep(2 * LEASE_MS)
  expect(lost.flat()).toEqual([])
  goOn.open()
  await until('both are done', async () => {
    const { jobs } = await direct.list({ queue, status: 'completed' })
    return jobs.length === 2
  })
  expect(starts).toBe(2)
}

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.stop())

/** The server is killed and comes back; a job ends while there is none. */
async function throughCrash(): Promise<void> {
  const pgq = createPgq({ connectionString: postgres.url })
  cleanUpAfterwards(() => pgq.close())
  await pgq.migrate()
  const brief = defineQueue('brief')
  const goOn = latch()
  const briefDone = collect(pgq, 'job.completed')
  let briefRuns = 0
  const briefHandler = handle(brief, () => {
    briefRuns++
    return goOn.opened
  })
  await work(pgq, [briefHandler], { lease: LEASE_MS })
  const { id } = await pgq.enqueue(brief, null)
  await until('the brief one is running', () => briefRuns === 1)

  const { starts, ids } = await liveThrough(pgq, async () => {
    // Claims are not waited for; by now they are on disk, as they are after any second without a crash.
    await sleep(700)
    await postgres.kill()
    goOn.open() // ends while there is no database to tell
    await sleep(OUTAGE_MS)
    await postgres.restart('fast')
    await until('the brief one is settled', () => briefDone.some(({ job }) => job.id === id))
  })
  expect(starts).toBe(20)
  expect(briefRuns).toBe(1)
  for (const one of [id, ...ids]) {
    expect(await pgq.get(one)).toMatchObject({ status: 'completed', attempts: 1, fence: 1, errors: [] })
  }
}

test('an outage of the database of ten leases, by a stall or a crash, runs no job twice and loses no outcome', async () => {
  await expect(Promise.all([throughStall(), throughUnequalStall(), throughCrash()])).resolves.toBeDefined()
})

test('a worker that is cut off while others are not loses its jobs to them, aborts, and starts anew', async () => {
  const { schema, databaseUrl, pgq: direct } = await freshQueue()
  const proxy = await startProxy(databaseUrl)
  const cutOff = createPgq({ connectionString: proxy.url, schema })
  cleanUpAfterwards(() => cutOff.close())
  const reasons: unknown[] = []
  const lost = collect(cutOff, 'worker.lost')
  const jobLost = collect(cutOff, 'job.lost')
  const first = handle(queue, async (_, { signal }) => {
    await sleep(30_000, undefined, { signal }).catch(() => reasons.push(signal.reason))
    return 'too late'
  })
  const worker = await work(cutOff, [first], { lease: LEASE_MS })
  const oldId = worker.id
  const { id } = await direct.enqueue(queue, null)
  await until('it is running', async () => (await direct.get(id))?.status === 'processing')
  const standIn = await work(direct, [handle(queue, () => 'in time')], { lease: LEASE_MS })
  proxy.stall()
  await until('the stand-in has done it', async () => (await direct.get(id))?.status === 'completed')
  await standIn.stop()
  proxy.resume()
  await until('it knows', () => lost.length === 1 && jobLost.length === 1)
  expect(reasons).toMatchObject([{ code: 'LEASE_LOST' }])
  expect(lost[0]).toMatchObject({ workerId: oldId, newWorkerId: worker.id, abortedJobs: 1 })
  expect(await direct.get(id)).toMatchObject({ attempts: 2, result: 'in time' })
})
