import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle, type Pgq } from '../src/index.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'

/** Polls and heartbeats are too far apart to find anything in the time of a test. */
const ONLY_NOTIFIED = { pollInterval: '1m', lease: '10m' } as const

async function setUp(name: string) {
  const fresh = await freshQueue()
  const { sql, schema, databaseUrl } = fresh
  // Named, so that its backends can be found.
  const url = new URL(databaseUrl)
  url.searchParams.set('application_name', schema)
  const pgq = createPgq({ connectionString: url.href, schema })
  cleanUpAfterwards(() => pgq.close())
  const isListening = async (): Promise<boolean> => {
    const rows = await sql(`SELECT FROM ${schema}.workers WHERE listening`)
    return rows.length > 0
  }
  return { sql, schema, pgq, enqueuer: fresh.pgq, queue: defineQueue(name), isListening }
}

/** How long an enqueued job waits for its handler, in ms. */
async function pickUp(
  enqueuer: Pgq,
  queue: ReturnType<typeof defineQueue>,
  started: number[],
): Promise<number> {
  const before = started.length
  await enqueuer.enqueue(queue, null)
  const enqueuedAt = performance.now()
  await until('it has started', () => started.length > before, 5_000)
  return Math.max(0, (started.at(-1) ?? 0) - enqueuedAt)
}

test('an idle worker is woken by the enqueue and not by the clock', async () => {
  const { pgq, enqueuer, queue, isListening } = await setUp('woken')
  const started: number[] = []
  await work(pgq, [handle(queue, () => void started.push(performance.now()))], ONLY_NOTIFIED)
  await until('enqueues know that it listens', isListening, 3_000)
  const waits: number[] = []
  for (let i = 0; i < 9; i++) {
    waits.push(await pickUp(enqueuer, queue, started))
    await sleep(30)
  }
  const median = waits.toSorted((a, b) => a - b)[4]
  expect(median).toBeLessThan(100)
})

test('an enqueue in a transaction wakes the worker when it commits', async () => {
  const { pgq, enqueuer, queue, isListening } = await setUp('committed')
  let runs = 0
  await work(pgq, [handle(queue, () => void runs++)], ONLY_NOTIFIED)
  await until('enqueues know that it listens', isListening, 3_000)
  await enqueuer.transaction(async (tx) => {
    await enqueuer.enqueue(queue, null, { tx })
    await sleep(200)
    expect(runs).toBe(0)
  })
  await until('it ran', () => runs === 1, 2_000)
})

test('a job that SQL inserts by hand wakes the worker too', async () => {
  const { pgq, sql, schema, queue, isListening } = await setUp('by.hand')
  let runs = 0
  await work(pgq, [handle(queue, () => void runs++)], ONLY_NOTIFIED)
  await until('enqueues know that it listens', isListening, 3_000)
  await sql(`INSERT INTO ${schema}.jobs (queue_name) VALUES ('by.hand')`)
  await until('the first ran', () => runs === 1, 2_000)
  await sql(`SELECT ${schema}.enqueue('by.hand')`)
  await until('the second ran', () => runs === 2, 2_000)
  expect(await isListening()).toBe(true)
})

test('a busy worker asks for no notifications, and an idle one does', async () => {
  const { pgq, enqueuer, queue, isListening } = await setUp('busy')
  const completed = collect(pgq, 'job.completed')
  const handler = handle(queue, () => sleep(5), { concurrency: 1 })
  await work(pgq, [handler], { lease: '1s' })
  await until('it listens', isListening)
  await enqueuer.enqueueMany(queue, Array(500).fill(null))
  await until('it is busy', async () => !(await isListening()))
  expect(completed.length).toBeLessThan(500)
  await until('all are done', () => completed.length === 500)
  await until('it listens again', isListening, 3_000)
})

test('after its connection was killed the listener comes back, and polling goes on meanwhile', async () => {
  const { pgq, enqueuer, sql, schema, queue, isListening } = await setUp('killed')
  const connected = collect(pgq, 'listener.connected')
  const disconnected = collect(pgq, 'listener.disconnected')
  const started: number[] = []
  await work(pgq, [handle(queue, () => void started.push(performance.now()))], {
    pollInterval: 100,
    lease: '10m',
  })
  await until('it listens', isListening, 3_000)
  const kill = (): Promise<unknown[]> =>
    sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND query ~ 'LISTEN|listening_channels'`,
      [schema],
    )
  for (let round = 1; round <= 3; round++) {
    await until('there is a listener', async () => (await kill()).length === 1)
    await until('it is noticed', () => disconnected.length === round)
    await pickUp(enqueuer, queue, started) // throws when it is not found by polling
    await until('it is back', () => connected.length === round + 1)
  }
  expect(disconnected[0]?.error).toBeInstanceOf(Error)
})

test('a worker that must not listen works by polling', async () => {
  const { pgq, enqueuer, sql, schema, queue, isListening } = await setUp('polling')
  const started: number[] = []
  await work(pgq, [handle(queue, () => void started.push(performance.now()))], {
    listen: false,
    pollInterval: 100,
    lease: '10m',
  })
  for (let i = 0; i < 3; i++) {
    await sleep(200)
    expect(await pickUp(enqueuer, queue, started)).toBeLessThan(1_500)
  }
  expect(await isListening()).toBe(false)
  const listeners = await sql(
    `SELECT FROM pg_stat_activity WHERE application_name = $1 AND query ~ 'LISTEN|listening_channels'`,
    [schema],
  )
  expect(listeners).toEqual([])
})

test('notifications that mean nothing, or are about an earlier claim, do no harm', async () => {
  const { pgq, enqueuer, sql, schema, queue, isListening } = await setUp('nonsense')
  const goOn = latch()
  const signals: AbortSignal[] = []
  const handler = handle(queue, (_, { signal }) => {
    signals.push(signal)
    return goOn.opened
  })
  await work(pgq, [handler], { lease: '10m' })
  await until('it listens', isListening, 3_000)
  const { id } = await enqueuer.enqueue(queue, null)
  await until('it runs', () => signals.length === 1)
  const { channel } = tablesIn(schema)
  for (const payload of [`cancel:${id}`, 'cancel:', 'cancel:no-uuid', 'queue:', 'queue:other', '', '🐘']) {
    await sql('SELECT pg_notify($1, $2)', [channel, payload])
  }
  await sleep(200)
  expect(signals[0]?.aborted).toBe(false)
  goOn.open()
  await until('it is done', async () => (await enqueuer.get(id))?.status === 'completed')
})
