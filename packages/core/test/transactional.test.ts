import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  createPgq,
  DeadJob,
  defineQueue,
  fixed,
  handle,
  type Pgq,
  RetryJob,
  SnoozeJob,
  type TransactionalJobContext,
} from '../src/index.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { startProxy } from './support/proxy.ts'
import { collect } from './support/collect.ts'
import { startWorkerProcess } from './support/worker-process.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()
const effects = `${schema}.effects`
await sql(`CREATE TABLE ${effects} (job_id uuid, fence integer)`)
await sql(`
  CREATE TABLE ${schema}.strict (job_id uuid, twin uuid UNIQUE DEFERRABLE INITIALLY DEFERRED)`)

type Run = (job: { id: string; fence: number; attempt: number }, ctx: TransactionalJobContext) => unknown

const transactional = (name: string, run: Run, concurrency = 10) =>
  handle(defineQueue(name, { backoff: fixed(0), maxAttempts: 3 }), run, { transactional: true, concurrency })

const effect: Run = (job, { tx }) =>
  tx.query(`INSERT INTO ${effects} (job_id, fence) VALUES ($1, $2)`, [job.id, job.fence])

const effectsOf = (id: string): Promise<unknown[]> =>
  sql(`SELECT fence FROM ${effects} WHERE job_id = $1`, [id])

/** Starts a worker and runs one job of a handler until it has ended. */
async function runOne(handler: ReturnType<typeof transactional>, of: Pgq = pgq): Promise<string> {
  await work(of, [handler], { pollInterval: 20, maintenance: false })
  const { id } = await pgq.enqueue(handler.queue, null)
  await until('it has ended', async () => {
    const status = (await pgq.get(id))?.status
    return status === 'completed' || status === 'dead' || status === 'cancelled'
  })
  return id
}

test('what a handler writes and its completion commit together', async () => {
  const seen: unknown[] = []
  const id = await runOne(
    transactional('together', async (job, ctx) => {
      await effect(job, ctx)
      // Nobody else sees the effect before the job is completed.
      seen.push(await effectsOf(job.id))
      return 'done'
    }),
  )
  expect(seen).toEqual([[]])
  expect(await effectsOf(id)).toEqual([{ fence: 1 }])
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', result: 'done', attempts: 1 })
})

const rolledBack: Record<string, [Run, object]> = {
  'throws an error': [() => Promise.reject(new Error('no')), { status: 'dead', attempts: 3, error: 'no' }],
  'throws DeadJob': [() => Promise.reject(new DeadJob('given up')), { status: 'dead', attempts: 1 }],
  'swallows the error of a statement': [
    (_, { tx }) => Promise.resolve(tx.query('SELECT 1 / 0')).catch(() => 'never mind'),
    { status: 'dead', attempts: 3, error: 'division by zero' },
  ],
  'violates a deferred constraint': [
    (job, { tx }) =>
      tx.query(`INSERT INTO ${schema}.strict SELECT $1, $1 FROM generate_series(1, 2)`, [job.id]),
    { status: 'dead', attempts: 3, error: expect.stringContaining('duplicate key') },
  ],
  'ends the transaction by itself': [(_, { tx }) => tx.query('ROLLBACK'), { status: 'dead', attempts: 3 }],
}

test.for(Object.keys(rolledBack))('nothing is written by a handler that %s', async (what) => {
  const [run, expected] = rolledBack[what] ?? []
  const handler = transactional(`rolled back: ${what}`, async (job, ctx) => {
    await effect(job, ctx)
    return run?.(job, ctx)
  })
  const id = await runOne(handler)
  expect(await pgq.get(id)).toMatchObject(expected ?? {})
  expect(await effectsOf(id)).toEqual([])
})

test('a snooze and a RetryJob roll back as well, and the attempt that returns is the one with effects', async () => {
  let runs = 0
  const handler = transactional('snoozed', async (job, ctx) => {
    await effect(job, ctx)
    if (++runs === 1) throw new SnoozeJob(0)
    if (runs === 2) throw new RetryJob({ after: 0 })
  })
  const id = await runOne(handler)
  expect(await effectsOf(id)).toEqual([{ fence: 5 }])
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 2 })
})

test('a job that was taken away while its handler ran has no effects, and job.lost says so', async () => {
  const started = latch()
  const goOn = latch()
  const lost = collect(pgq, 'job.lost')
  const handler = transactional('taken', async (job, ctx) => {
    await effect(job, ctx)
    started.open()
    await goOn.opened
  })
  await work(pgq, [handler], { maintenance: false, listen: false })
  const { id } = await pgq.enqueue(handler.queue, null)
  await started.opened
  await sql(`UPDATE ${schema}.jobs SET status = 'pending', scheduled_for = 'infinity' WHERE id = $1`, [id])
  goOn.open()
  await until('it is told', () => lost.length === 1)
  expect(await effectsOf(id)).toEqual([])
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', fence: 2 })
})

test('an enqueue through the transaction commits with the completion', async () => {
  const followUp = defineQueue('follow.up')
  let runs = 0
  const id = await runOne(
    transactional('enqueues', async (_, { tx }) => {
      await pgq.enqueue(followUp, null, { tx })
      if (++runs === 1) throw new Error('the first follow-up must not be')
    }),
  )
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 2 })
  expect((await pgq.list({ queue: followUp })).jobs).toHaveLength(1)
})

test('fifty transactional handlers run at once, each with its own transaction', async () => {
  let running = 0
  let most = 0
  const full = latch()
  const handler = transactional(
    'fifty',
    async (job, ctx) => {
      await effect(job, ctx)
      most = Math.max(most, ++running)
      await full.opened
      running--
    },
    50,
  )
  const jobs = await pgq.enqueueMany(handler.queue, Array(150).fill(null))
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handler])
  await until('fifty run', () => running === 50)
  full.open()
  await until('all are done', () => completed.length === 150)
  const [row] = await sql(
    `SELECT count(*)::int AS n, count(DISTINCT job_id)::int AS ids FROM ${effects} WHERE job_id = ANY ($1)`,
    [jobs.map(({ id }) => id)],
  )
  expect(row).toEqual({ n: 150, ids: 150 })
  expect(most).toBe(50)
})

test.for(['COMMIT', 'settle'])(
  'when the answer to the %s is lost the effects are there once',
  async (what) => {
    const proxy = await startProxy(databaseUrl)
    const through = createPgq({ connectionString: proxy.url, schema })
    cleanUpAfterwards(() => through.close())
    const outcomes = [
      collect(through, 'job.completed'),
      collect(through, 'job.lost'),
      collect(through, 'job.failed'),
    ]
    let runs = 0
    const handler = transactional(`unanswered ${what}`, async (job, ctx) => {
      await effect(job, ctx)
      // Of this connection; the settler sends the same text on another one only when there is nothing to commit.
      if (++runs === 1) eaten = proxy.eatReplyTo(what === 'COMMIT' ? /COMMIT\0/ : /settle_completed\(/)
    })
    let eaten: Promise<void> | undefined
    const id = await runOne(handler, through)
    await eaten
    expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1, errors: [] })
    expect(await effectsOf(id)).toHaveLength(1)
    // A COMMIT that went through is found out about; a settle without its COMMIT is rolled back and all is done again.
    expect(runs).toBe(what === 'COMMIT' ? 1 : 2)
    await until('it is told', () => outcomes[0]?.length === 1)
    expect(outcomes.map((events) => events.length)).toEqual([1, 0, 0])
  },
)

test('a backend that is terminated in the middle of a transaction costs an attempt and leaves no effect', async () => {
  let runs = 0
  const handler = transactional('terminated', async (job, ctx) => {
    await effect(job, ctx)
    if (++runs > 1) return
    const { rows } = await ctx.tx.query('SELECT pg_backend_pid() AS pid')
    await sql('SELECT pg_terminate_backend($1)', [rows[0].pid])
    await ctx.tx.query('SELECT 1')
  })
  const id = await runOne(handler)
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 2 })
  expect(await effectsOf(id)).toEqual([{ fence: 3 }])
})

test('a worker that is killed half-way leaves no effect, and the rescued job has it once', async () => {
  const fresh = await freshQueue()
  await fresh.sql(`CREATE TABLE ${fresh.schema}.effects (job_id uuid, fence integer)`)
  const queue = defineQueue('killed')
  const process = (): ReturnType<typeof startWorkerProcess> =>
    startWorkerProcess({
      url: databaseUrl,
      schema: fresh.schema,
      queues: [{ name: 'killed', transactional: true }],
      options: { lease: '1s' },
    })
  const steps = [{ do: 'effect', table: `${fresh.schema}.effects`, ms: 500 }]
  const victim = await process()
  const { id } = await fresh.pgq.enqueue(queue, { steps })
  await victim.said('step.effect', id)
  await sleep(150) // the effect is written, and not committed
  victim.kill('SIGKILL')
  const next = await process()
  await next.said('job.completed', id)
  expect(await fresh.sql(`SELECT * FROM ${fresh.schema}.effects`)).toEqual([{ job_id: id, fence: 3 }])
  expect(await fresh.pgq.get(id)).toMatchObject({ status: 'completed', attempts: 2 })
})

test('a failing query that nobody awaits fails its attempt and does not end the process', async () => {
  const worker = await startWorkerProcess({
    url: databaseUrl,
    schema,
    queues: [{ name: 'floating', transactional: true }],
    options: { maintenance: false },
  })
  const queue = defineQueue('floating', { maxAttempts: 1 })
  const { id } = await pgq.enqueue(queue, { steps: [{ do: 'floatBadQuery' }] })
  await worker.said('job.dead', id)
  const next = await pgq.enqueue(queue, { steps: [] })
  await worker.said('job.completed', next.id)
  expect(worker.lines.filter(({ type }) => type === 'unhandledRejection')).toEqual([])
})

/** Ends the connection of a transaction from outside, in a while in which it sends nothing. */
async function loseConnection({ tx }: TransactionalJobContext): Promise<void> {
  const { rows } = await tx.query('SELECT pg_backend_pid() AS pid')
  await sql('SELECT pg_terminate_backend($1)', [rows[0].pid])
  await until('it has ended', async () => {
    const left = await sql('SELECT FROM pg_stat_activity WHERE pid = $1', [rows[0].pid])
    return left.length === 0
  })
}

test('an attempt that is idle in its transaction for too long has failed, and says so', async () => {
  let runs = 0
  const id = await runOne(
    transactional('idle', async (job, ctx) => {
      runs++
      await effect(job, ctx)
      await ctx.tx.query(`SET LOCAL idle_in_transaction_session_timeout = '50ms'`)
      await sleep(300)
    }),
  )
  expect(runs).toBe(3)
  expect(await pgq.get(id)).toMatchObject({
    status: 'dead',
    error: expect.stringContaining('idle-in-transaction'),
  })
  expect(await effectsOf(id)).toEqual([])
})

test('a connection that breaks is forgiven a few times, and then the attempts count', async () => {
  const released = collect(pgq, 'job.released')
  const id = await runOne(
    transactional('breaks', async (job, ctx) => {
      await effect(job, ctx)
      await loseConnection(ctx)
    }),
  )
  expect(released.filter(({ job }) => job.id === id)).toHaveLength(5)
  expect(await pgq.get(id)).toMatchObject({ status: 'dead', attempts: 3 })
  expect(await effectsOf(id)).toEqual([])
})

test('a COMMIT hidden in a comment or behind another statement is refused too', async () => {
  const id = await runOne(
    transactional('hidden', async (job, ctx) => {
      await effect(job, ctx)
      for (const text of [
        '/* x */ commit',
        'SELECT 1; commit; SELECT 2',
        `SELECT ';'; -- a\nCOMMIT`,
        'ROLLBACK AND CHAIN',
      ]) {
        await expect(ctx.tx.query(text)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      }
      await ctx.tx.query(`SELECT 'x; commit', "a;commit" FROM (SELECT 1 AS "a;commit") AS t -- ; commit`)
      await ctx.tx.query('SELECT $tag$ ; commit; $tag$; SELECT 2')
      await ctx.tx.query(`SAVEPOINT s`)
      await ctx.tx.query(`ROLLBACK TO s`)
      throw new DeadJob('done')
    }),
  )
  expect(await pgq.get(id)).toMatchObject({ status: 'dead', error: 'done' })
  expect(await effectsOf(id)).toEqual([])
})
