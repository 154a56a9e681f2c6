import { until } from '@pgq/test-support'
import { expect, test, vi } from 'vitest'
import { createPgq, DeadJob, defineQueue, fixed, handle, isPgqError, SnoozeJob } from '../src/index.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'
import { SEED } from './support/seed.ts'
import { watchWrites } from './support/write-accidents.ts'

vi.setConfig({ testTimeout: 600_000 })

/** Of a worker's whole life, an accident happens at every so-many-th write only, unless `PGQ_EVERY_MESSAGE` is set. */
const STRIDE = process.env['PGQ_EVERY_MESSAGE'] ? 1 : 7

/** Everything that the tables of a queue hold. */
async function contents({ schema, sql }: FreshQueue): Promise<unknown> {
  const [row] = await sql(
    `SELECT (SELECT jsonb_agg(to_jsonb(job) ORDER BY id) FROM ${schema}.jobs AS job) AS jobs,
            (SELECT jsonb_agg(to_jsonb(held) ORDER BY unique_key) FROM ${schema}.unique_keys AS held) AS keys`,
  )
  return row
}

const mail = defineQueue<string>('mail')

test.each<[string, (queue: FreshQueue) => Promise<unknown>]>([
  ['enqueueMany', ({ pgq }) => pgq.enqueueMany(mail, ['a', 'b', 'c'])],
  [
    'enqueue in SQL, with keys of which one is held',
    ({ schema, sql }) =>
      sql(
        `SELECT * FROM ${schema}.enqueue_many('[{"queue": "mail", "unique_key": "held"}, {"queue": "mail", "unique_key": "x"}, {"queue": "mail"}]')`,
      ),
  ],
  ['cancel', ({ pgq }) => pgq.cancel({ queue: mail, status: 'pending' })],
  ['retry', ({ pgq }) => pgq.retry({ queue: mail, status: 'dead' })],
  ['delete', ({ pgq }) => pgq.delete({ queue: mail, status: 'dead' })],
])('%s does all or nothing, at whichever of its writes the backend ends', async (_name, act) => {
  const queue = await freshQueue()
  const { pgq, schema, sql } = queue
  await pgq.enqueue(mail, 'waiting', { uniqueKey: 'held' })
  await pgq.enqueueMany(mail, ['one', 'two'])
  await sql(
    `UPDATE ${schema}.jobs SET status = 'dead', completed_at = now() WHERE payload IN ('"one"', '"two"')`,
  )
  const accidents = await watchWrites(queue)
  const before = await contents(queue)
  let at = 0
  for (; ; at++) {
    await accidents.arm(at)
    const error = await act(queue).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (error === undefined) break
    // Behind a pooler it may be noticed only by the next statement.
    expect((error as Error).message).toMatch(/terminat|cannot go on with the transaction/)
    expect(await contents(queue), `after an accident at write ${at}`).toEqual(before)
  }
  expect(at).toBeGreaterThanOrEqual(4)
  expect(await contents(queue)).not.toEqual(before)
})

const WAYS = ['plain', 'failing', 'dying', 'snoozing', 'transactional', 'orphaned'] as const
type Way = (typeof WAYS)[number]

/** A job for each way that one can go, one of them in the hands of a worker that is lost. */
async function prepare({ pgq, schema, sql }: FreshQueue): Promise<void> {
  for (const table of ['jobs', 'workers', 'leader', 'effects']) await sql(`DELETE FROM ${schema}.${table}`)
  for (const way of WAYS.slice(0, 5)) await pgq.enqueue(defineQueue(way), null)
  const [worker] = await sql(
    `INSERT INTO ${schema}.workers (id, name, hostname, pid, queues, concurrency, lease_until, lost_at)
     VALUES (gen_random_uuid(), 'dead', '', 0, '{}', 1, now(), now()) RETURNING id`,
  )
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, attempts, fence, locked_by) VALUES ('orphaned', 'processing', 1, 1, $1)`,
    [worker.id],
  )
}

/** From start to stop: rescue, claim, every kind of settle, and a completion in a transaction. */
async function live(queue: FreshQueue, name: string): Promise<void> {
  const { schema, databaseUrl, sql } = queue
  const pgq = createPgq({ connectionString: databaseUrl, schema })
  const told = (['job.completed', 'job.dead', 'job.lost', 'worker.lost'] as const).map((event) =>
    collect(pgq, event),
  )
  const starts = new Map<Way, number>()
  const first = (way: Way): boolean => {
    starts.set(way, (starts.get(way) ?? 0) + 1)
    return starts.get(way) === 1
  }
  const worker = pgq.createWorker(
    [
      handle(defineQueue('plain'), () => void first('plain')),
      handle(defineQueue('orphaned'), () => void first('orphaned')),
      handle(defineQueue('failing', { backoff: fixed(500) }), () => {
        if (first('failing')) throw new Error('the first time')
      }),
      handle(defineQueue('dying'), () => {
        first('dying')
        throw new DeadJob('no good')
      }),
      handle(defineQueue('snoozing'), () => {
        if (first('snoozing')) throw new SnoozeJob('500ms')
      }),
      handle(
        defineQueue('transactional'),
        async (job, { tx }) => {
          first('transactional')
          await tx.query(`INSERT INTO ${schema}.effects VALUES ($1)`, [job.id])
        },
        { transactional: true, concurrency: 1 },
      ),
    ],
    { pollInterval: 50, shutdownTimeout: 0 },
  )
  try {
    await until(`${name}: it starts`, () =>
      worker.start().then(
        () => true,
        (error: unknown) => {
          if (isPgqError(error, 'DATABASE_UNAVAILABLE')) return false
          throw error
        },
      ),
    )
    await until(`${name}: all are told`, () => told[0]?.length === 5 && told[1]?.length === 1)
  } finally {
    await worker.stop()
    await pgq.close()
  }
  expect(told.slice(2), name).toEqual([[], []])
  const rows = await sql(
    `SELECT queue_name, status, attempts, coalesce(jsonb_array_length(errors), 0) AS errors FROM ${schema}.jobs`,
  )
  const found = Object.fromEntries(rows.map(({ queue_name, ...row }) => [queue_name, row]))
  const handWritten = starts.get('transactional') === 2 && found['transactional']?.attempts === 2
  expect(found, name).toEqual({
    plain: { status: 'completed', attempts: 1, errors: 0 },
    failing: { status: 'completed', attempts: 2, errors: 1 },
    dying: { status: 'dead', attempts: 1, errors: 1 },
    snoozing: { status: 'completed', attempts: 1, errors: 0 },
    // The query of the handler met the accident, and so it threw; anything else of it is forgiven.
    transactional: handWritten
      ? { status: 'completed', attempts: 2, errors: 1 }
      : { status: 'completed', attempts: 1, errors: 0 },
    orphaned: { status: 'completed', attempts: 2, errors: 1 },
  })
  // A claim or a settle that was undone is repeated, and no handler runs twice for that; what a transaction rolled back may.
  const { transactional, ...others } = Object.fromEntries(starts)
  expect(others, name).toEqual({ plain: 1, failing: 2, dying: 1, snoozing: 2, orphaned: 1 })
  expect(transactional, name).toBeOneOf([1, 2])
  expect(await sql(`SELECT FROM ${schema}.effects`), name).toHaveLength(1)
}

test('a worker comes through the end of its backend at any write of claim, settle, rescue and heartbeat, and no handler runs twice', async () => {
  const lanes = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const queue = await freshQueue()
      await queue.sql(`CREATE TABLE ${queue.schema}.effects (job_id uuid)`)
      return { queue, accidents: await watchWrites(queue) }
    }),
  )
  const [{ queue, accidents }] = lanes as [(typeof lanes)[0]]
  await prepare(queue)
  await accidents.arm()
  await live(queue, 'without an accident')
  const writes = await accidents.count()
  expect(writes).toBeGreaterThan(40)
  let next = SEED % STRIDE
  const results = await Promise.allSettled(
    lanes.map(async (lane) => {
      for (let at = next; at < writes; at = next) {
        next += STRIDE
        await lane.accidents.arm()
        await prepare(lane.queue)
        await lane.accidents.arm(at)
        await live(lane.queue, `an accident at write ${at}`)
      }
    }),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
})
