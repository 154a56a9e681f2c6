import { randomUUID } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { createPgq, defineQueue, fixed, handle, isPgqError, type Pgq, type Worker } from '../src/index.ts'
import { until } from '@pgq/test-support'
import { atEveryMessage, type Run } from './support/every-message.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'

/** Of the long conversations, an accident happens at every so-many-th message only, unless `PGQ_EVERY_MESSAGE` is set. */
const STRIDE = process.env['PGQ_EVERY_MESSAGE'] ? 1 : 20

vi.setConfig({ testTimeout: STRIDE === 1 ? 3_000_000 : 600_000 })

const { schema, sql } = await freshQueue()
await sql(`CREATE TABLE ${schema}.orders (key text)`)
const mail = defineQueue<string, string>('mail')

/** Runs `work` on a queue through the proxy; returns whether it was acknowledged. */
async function acknowledged(run: Run, work: (pgq: Pgq) => Promise<unknown>): Promise<boolean> {
  const pgq = createPgq({ connectionString: run.url, schema })
  try {
    await work(pgq)
    return true
  } catch (error) {
    // What a query of the application's own says passes unchanged.
    const isDriver =
      error instanceof Error && /terminat|server conn crashed|ECONNRESET|EPIPE/.test(error.message)
    if (isDriver || isPgqError(error, 'DATABASE_UNAVAILABLE')) return false
    throw new Error(run.name, { cause: error })
  } finally {
    await pgq.close()
  }
}

const jobsOf = async (key: string): Promise<number> =>
  (await sql(`SELECT FROM ${schema}.jobs WHERE payload = to_jsonb($1::text)`, [key])).length

test('an enqueue that was acknowledged is there, and one that was not is there once or not at all', async () => {
  const { messages, accidents } = await atEveryMessage(async (run) => {
    const key = randomUUID()
    const isSure = await acknowledged(run, (pgq) => pgq.enqueue(mail, key))
    expect(await jobsOf(key), run.name).toBeOneOf(isSure ? [1] : [0, 1])
  })
  expect(messages).toBeGreaterThan(15)
  expect(accidents).toBeGreaterThan(messages)
})

test('an enqueue with a unique key may be repeated until it is acknowledged: there is one job', async () => {
  await atEveryMessage(async (run) => {
    const key = randomUUID()
    await until(run.name, () => acknowledged(run, (pgq) => pgq.enqueue(mail, key, { uniqueKey: key })))
    expect(await jobsOf(key), run.name).toBe(1)
  })
})

test('of many jobs that were enqueued together all are there, or none', async () => {
  await atEveryMessage(async (run) => {
    const key = randomUUID()
    const isSure = await acknowledged(run, (pgq) => pgq.enqueueMany(mail, [key, key, key]))
    expect(await jobsOf(key), run.name).toBeOneOf(isSure ? [3] : [0, 3])
  })
})

test('a job that was enqueued in a transaction is there exactly if the rest of the transaction is', async () => {
  await atEveryMessage(async (run) => {
    const key = randomUUID()
    const isSure = await acknowledged(run, (pgq) =>
      pgq.transaction(async (tx) => {
        await tx.query(`INSERT INTO ${schema}.orders VALUES ($1)`, [key])
        await pgq.enqueue(mail, key, { tx })
      }),
    )
    // Seen at one moment: what the server was sent may commit only now.
    const [there] = await sql(
      `SELECT (SELECT count(*)::int FROM ${schema}.orders WHERE key = $1) AS orders,
              (SELECT count(*)::int FROM ${schema}.jobs WHERE payload = to_jsonb($1::text)) AS jobs`,
      [key],
    )
    expect(there.jobs, run.name).toBe(there.orders)
    expect(there.orders, run.name).toBeOneOf(isSure ? [1] : [0, 1])
  })
})

/** What a worker is given in one life: a job for each way that one can go. */
const WAYS = ['plain', 'failing', 'transactional', 'orphaned'] as const
type Way = (typeof WAYS)[number]

/** A queue for each lane: a leader must find nothing that is not its own. */
const lanes: Promise<FreshQueue>[] = []
const laneQueue = (lane: number): Promise<FreshQueue> =>
  (lanes[lane] ??= freshQueue().then(async (fresh) => {
    await fresh.sql(`CREATE TABLE ${fresh.schema}.effects (job_id uuid)`)
    return fresh
  }))

async function prepare({ pgq, schema: own, sql: run }: FreshQueue): Promise<Map<string, Way>> {
  for (const table of ['jobs', 'workers', 'leader', 'effects']) await run(`DELETE FROM ${own}.${table}`)
  const ids = new Map<string, Way>()
  for (const way of WAYS.slice(0, 3)) ids.set((await pgq.enqueue(defineQueue(way), null)).id, way)
  const [worker] = await run(
    `INSERT INTO ${own}.workers (id, name, hostname, pid, queues, concurrency, lease_until, lost_at)
     VALUES (gen_random_uuid(), 'dead', '', 0, '{}', 1, now(), now()) RETURNING id`,
  )
  const [orphan] = await run(
    `INSERT INTO ${own}.jobs (queue_name, status, attempts, fence, locked_by)
     VALUES ('orphaned', 'processing', 1, 1, $1) RETURNING id`,
    [worker.id],
  )
  return ids.set(orphan.id, 'orphaned')
}

async function begin(worker: Worker): Promise<boolean> {
  try {
    await worker.start()
    return true
  } catch (error) {
    if (isPgqError(error, 'DATABASE_UNAVAILABLE')) return false
    throw error
  }
}

/** From start to stop: rescue, claim, handlers that return and throw, settle, and a completion in a transaction. */
async function live(run: Run, lane: number): Promise<void> {
  const own = await laneQueue(lane)
  const ids = await prepare(own)
  const pgq = createPgq({ connectionString: run.url, schema: own.schema })
  const starts = new Map<Way, number>()
  const told = new Map<string, string[]>(
    (['job.completed', 'job.failed', 'job.lost', 'worker.lost'] as const).map((name) => {
      const list: string[] = []
      pgq.events.on(name, (event) => list.push('job' in event ? event.job.queue : event.workerId))
      return [name, list]
    }),
  )
  const count = (way: Way): void => void starts.set(way, (starts.get(way) ?? 0) + 1)
  const effects = `INSERT INTO ${own.schema}.effects VALUES ($1)`
  const worker = pgq.createWorker(
    [
      handle(defineQueue('plain'), () => count('plain')),
      handle(defineQueue('orphaned'), () => count('orphaned')),
      // Claimed again before its worker could ask what became of a settle without an answer, it would be told as lost.
      handle(defineQueue('failing', { backoff: fixed(2_000) }), (job) => {
        count('failing')
        if (job.attempt === 1) throw new Error('the first time')
      }),
      handle(
        defineQueue('transactional'),
        async (job, { tx }) => {
          count('transactional')
          await tx.query(effects, [job.id])
        },
        { transactional: true, concurrency: 1 },
      ),
    ],
    { pollInterval: 50, shutdownTimeout: 0 },
  )
  try {
    await until(`${run.name}: it starts`, () => begin(worker))
    await until(`${run.name}: nothing is stuck`, async () => {
      const unfinished = await own.sql(`SELECT FROM ${own.schema}.jobs WHERE status <> 'completed'`)
      return unfinished.length === 0
    })
    await until(`${run.name}: all are told`, () => (told.get('job.completed')?.length ?? 0) >= 4)
  } finally {
    await worker.stop()
    await pgq.close()
  }
  const rows = await own.sql(
    `SELECT id, attempts, jsonb_array_length(errors) AS errors FROM ${own.schema}.jobs`,
  )
  const found = Object.fromEntries(
    rows.map(({ id, attempts, errors }) => [ids.get(id), { attempts, errors }]),
  )
  // No accident of a connection costs an attempt, or is written down as an error: only what a handler throws is.
  const thrown = starts.get('transactional') === 1 ? 1 : 2
  expect(found, run.name).toEqual({
    plain: { attempts: 1, errors: null },
    failing: { attempts: 2, errors: 1 },
    transactional: expect.toBeOneOf([
      { attempts: 1, errors: null },
      // A query of the handler found its connection broken, and so it threw.
      { attempts: thrown, errors: 1 },
    ]),
    orphaned: { attempts: 2, errors: 1 },
  })
  // What a transaction rolled back may have been run again, and nothing else.
  expect(starts.get('transactional'), run.name).toBeOneOf([1, 2])
  expect({ ...Object.fromEntries(starts), transactional: 1 }, run.name).toEqual({
    plain: 1,
    failing: 2,
    orphaned: 1,
    transactional: 1,
  })
  expect((await own.sql(`SELECT FROM ${own.schema}.effects`)).length, run.name).toBe(1)
  expect(told.get('job.completed')?.toSorted(), run.name).toEqual(WAYS.toSorted())
  const failed = told.get('job.failed')?.filter((queue) => queue !== 'transactional')
  expect(failed, run.name).toEqual(['failing'])
  expect([...(told.get('job.lost') ?? []), ...(told.get('worker.lost') ?? [])], run.name).toEqual([])
}

test('a worker outlives an accident at any message of its life: each outcome once, no attempt lost, nothing stuck', async () => {
  const { messages, accidents } = await atEveryMessage(live, STRIDE)
  expect(messages).toBeGreaterThan(100)
  expect(accidents).toBeGreaterThan(messages / STRIDE / 2)
})
