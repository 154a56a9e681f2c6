import { cleanUpAfterwards, latch, until } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { defineQueue, handle, type Pgq, type Queue, type Worker } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { isPooled } from './support/pooled.ts'
import { openSession } from './support/session.ts'

const { pgq, sql, schema, pool, databaseUrl } = await freshQueue()

/** A worker that says which payloads it ran. */
async function work(queue: string, on: Pgq = pgq): Promise<{ ran: unknown[]; worker: Worker }> {
  const ran: unknown[] = []
  const worker = on.createWorker([handle(defineQueue(queue), (job) => void ran.push(job.payload))])
  await worker.start()
  return { ran, worker }
}

const untilListening = (worker: Worker): Promise<unknown> =>
  until('the worker listens', async () => {
    const rows = await sql(`SELECT listening FROM ${schema}.workers WHERE id = $1`, [worker.id])
    return rows[0]?.listening === true
  })

test('a paused queue is not claimed from by workers that run already, nor by new ones, until it is resumed', async () => {
  const queue = defineQueue('paused')
  const other = defineQueue('other')
  const first = await work(queue.name)
  await pgq.enqueue(queue, 'before')
  await until('the first job ran', () => first.ran.length === 1)
  expect(await pgq.pause(queue, { reason: 'the bank is down' })).toBe(true)
  expect(await pgq.pause(queue)).toBe(false)
  await pgq.enqueueMany(queue, [1, 2, 3])
  const second = await work(queue.name)
  const others = await work(other.name)
  await pgq.enqueue(other, 'not paused')
  await until('another queue goes on', () => others.ran.length === 1)
  expect([...first.ran, ...second.ran]).toEqual(['before'])
  expect(
    await sql(`SELECT name, paused_at IS NOT NULL AS paused, paused_reason FROM ${schema}.queues`),
  ).toEqual([{ name: 'paused', paused: true, paused_reason: 'the bank is down' }])
  expect(await pgq.resume(queue)).toBe(true)
  await until('the others ran', () => first.ran.length + second.ran.length === 4)
  expect(await pgq.resume(queue)).toBe(false)
})

test.skipIf(isPooled)('idle workers are woken by a resume, from SQL as well', async () => {
  const queue = defineQueue('woken')
  const { ran, worker } = await work(queue.name)
  await untilListening(worker)
  await sql(`UPDATE ${schema}.queues SET paused_at = now() WHERE name = 'woken'`)
  await sql(`SELECT ${schema}.pause('woken')`)
  await pgq.enqueue(queue, 1)
  await sql(`SELECT ${schema}.pause('woken')`)
  const resumed = performance.now()
  await sql(`UPDATE ${schema}.queues SET paused_at = NULL WHERE name = 'woken'`)
  await until('it ran', () => ran.length === 1)
  // A poll of a worker that is notified comes only after seconds.
  expect(performance.now() - resumed).toBeLessThan(500)
})

test('once pause has resolved, nothing is claimed any more, whatever was under way', async () => {
  const queue = defineQueue('busy')
  await pgq.enqueueMany(queue, Array(20_000).fill(null))
  await Promise.all([work(queue.name), work(queue.name)])
  for (let round = 0; round < 5; round++) {
    await until('it goes on', async () => (await claimed(queue.name)) > 0)
    await pgq.pause(queue)
    const [before] = await sql(`SELECT clock_timestamp() AS at`)
    await until('nothing runs', async () => (await running(queue.name)) === 0)
    const late = await sql(
      `SELECT id FROM ${schema}.jobs WHERE queue_name = $1 AND started_at > $2 AND status <> 'pending'`,
      [queue.name, before.at],
    )
    expect(late).toEqual([])
    await pgq.resume(queue)
  }
})

test('running jobs of a paused queue go on and are settled', async () => {
  const queue = defineQueue<string>('long')
  let finish: (() => void) | undefined
  const worker = pgq.createWorker([handle(queue, () => new Promise<void>((resolve) => (finish = resolve)))])
  await worker.start()
  const { id } = await pgq.enqueue(queue, 'x')
  await until('it runs', async () => (await running('long')) === 1)
  await pgq.pause(queue)
  finish?.()
  await until('it has ended', async () => (await running('long')) === 0)
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1 })
})

test('an open transaction that pauses a queue holds up nobody', async () => {
  const queue = defineQueue('undecided')
  const { ran } = await work(queue.name)
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(`SELECT ${schema}.pause('undecided')`)
    await pgq.enqueue(queue, 1)
    await until('it ran', () => ran.length === 1)
    expect(ran).toEqual([1])
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
})

const claimed = async (queue: string): Promise<number> =>
  Number(
    (
      await sql(`SELECT count(*) FROM ${schema}.jobs WHERE queue_name = $1 AND status <> 'pending'`, [queue])
    )[0].count,
  )
const running = async (queue: string): Promise<number> =>
  Number(
    (await sql(`SELECT count(*) FROM ${schema}.jobs_processing WHERE queue_name = $1`, [queue]))[0].count,
  )

/** Ten handlers that were fast for a while and then hang, so that jobs were claimed which now wait for a slot. */
async function withJobsInHand(queue: Queue<{ n: number; tenant: string }>, listen = true) {
  const over = latch()
  let begun = 0
  const FAST = 2_000
  const worker = pgq.createWorker(
    [
      handle(
        queue,
        async ({ payload }) => {
          begun++
          if (payload.n >= FAST) await over.opened
        },
        { concurrency: 10 },
      ),
    ],
    { lease: '10m', pollInterval: '1m', listen },
  )
  cleanUpAfterwards(() => worker.stop())
  await pgq.enqueueMany(
    queue,
    Array.from({ length: 3 * FAST }, (_, n) => ({ n, tenant: n % 2 === 0 ? 'even' : 'odd' })),
  )
  await worker.start()
  const held = async (where = 'true'): Promise<number> =>
    (
      await sql(
        `SELECT count(*)::int AS held FROM ${schema}.jobs_processing AS job WHERE queue_name = $1 AND ${where}`,
        [queue.name],
      )
    )[0].held
  await until('ten hang', () => begun >= FAST + 10)
  await until('others wait behind them', async () => (await held()) > 10)
  return { over, held, begun: () => begun }
}

test.each([
  ['', true],
  [' though nobody tells them of it', false],
])('a pause gives back what workers have in hand and have not begun%s', async (_, listen) => {
  const queue = defineQueue<{ n: number; tenant: string }>(listen ? 'slowed' : 'slowed.unheard')
  const { over, held, begun } = await withJobsInHand(queue, listen)
  await pgq.pause(queue)
  await until('only what runs is in hand', async () => (await held()) === 10)
  const before = begun()
  over.open()
  await until('what ran is done', async () => (await held()) === 0)
  expect(begun()).toBe(before)
})

test.each([
  ['', true],
  [', though nobody tells them of it', false],
])(
  'a group that is held back gives back what workers have of it in hand, and only that%s',
  async (_, listen) => {
    const name = listen ? 'slowed.groups' : 'slowed.groups.unheard'
    const queue = defineQueue<{ n: number; tenant: string }>(name, { group: ({ tenant }) => tenant })
    const { over, held } = await withJobsInHand(queue, listen)
    await pgq.holdBack(queue, { group: 'odd', for: '1h' })
    await until('no more of it is in hand than runs', async () => (await held(`group_key = 'odd'`)) <= 10)
    // Where it took its time, what cannot start soon has been left for other workers meanwhile.
    const least = listen && !isPooled ? 11 : 0
    expect(await held(`group_key = 'even'`)).toBeGreaterThanOrEqual(least)
    over.open()
  },
)

test.skipIf(isPooled)(
  'a job that is given back since limits changed while it was claimed is claimed again at once',
  async () => {
    const queue = defineQueue<number>('relimited')
    const begun: number[] = []
    const other = defineQueue<null>('told')
    const [runs, told] = [latch(), latch()]
    const worker = pgq.createWorker(
      [
        handle(queue, ({ fence }) => void begun.push(fence)),
        handle(other, async (_, { signal }) => {
          runs.open()
          signal.addEventListener('abort', () => told.open())
          await told.opened
        }),
      ],
      { lease: '10m', pollInterval: '1m' },
    )
    cleanUpAfterwards(() => worker.stop())
    // Its first claim takes as long as the test wants, and giving back takes longer than the next claim.
    const gate = await openSession(databaseUrl)
    await sql(`
    CREATE FUNCTION ${schema}.wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN PERFORM pg_sleep(0.5); RETURN OLD; END IF;
      PERFORM pg_advisory_xact_lock(4711);
      RETURN NEW;
    END $$;
    CREATE TRIGGER gate BEFORE INSERT ON ${schema}.jobs_processing FOR EACH ROW
      WHEN (NEW.queue_name = 'relimited' AND NEW.fence = 1) EXECUTE FUNCTION ${schema}.wait_at_gate();
    CREATE TRIGGER gate_back BEFORE DELETE ON ${schema}.jobs_processing FOR EACH ROW
      WHEN (OLD.queue_name = 'relimited' AND OLD.fence = 1) EXECUTE FUNCTION ${schema}.wait_at_gate()`)
    await worker.start()
    await untilListening(worker)
    const probe = await pgq.enqueue(other, null)
    await runs.opened
    await gate.client.query('SELECT pg_advisory_lock(4711)')
    await pgq.enqueue(queue, 1)
    const atGate = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted`
    await until('it is being claimed', async () => (await sql(atGate)).length === 1)
    // By hand, since the call of the package waits for claims.
    await sql(`INSERT INTO ${schema}.queues (name, concurrency_limit) VALUES ('relimited', 5)
             ON CONFLICT (name) DO UPDATE SET concurrency_limit = 5`)
    // It hears of both on the same connection, in this order.
    await pgq.cancel(probe.id)
    await told.opened
    await gate.client.query('SELECT pg_advisory_unlock(4711)')
    await until('it has begun', () => begun.length === 1, 20_000)
    // Claimed, given back, and claimed again.
    expect(begun).toEqual([3])
  },
)
