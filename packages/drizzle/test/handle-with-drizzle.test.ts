import { setTimeout as sleep } from 'node:timers/promises'
import { defineQueue, type Handler, type JobRecord, SnoozeJob, type } from '@pgq/core'
import * as orm from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgSchema, text } from 'drizzle-orm/pg-core'
import { describe, expect, it } from 'vitest'
import { fromDrizzle, handleWithDrizzle } from '../src/index.ts'
import { freshQueue, type FreshQueue } from './support/fresh-queue.ts'
import { startPoster } from './support/poster-process.ts'
import { until } from '@pgq/test-support'

type Tx = Parameters<Parameters<ReturnType<typeof drizzle>['transaction']>[0]>[0]

const posts = defineQueue('post', { payload: type<{ amount: number }>(), backoff: () => 0, maxAttempts: 2 })

const handle = handleWithDrizzle((client) => drizzle({ client }))

/** A handler for what most tests need. */
const handler = (
  run: (tx: Tx, job: { id: string; attempt: number; payload: { amount: number } }) => unknown,
) => handle(posts, (job, { tx }) => run(tx, job))

/** A queue with a ledger, and a way to run one job through a handler to its end. */
async function freshLedger() {
  const fresh = await freshQueue('node-postgres')
  const ledger = pgSchema(fresh.schema).table('payments', {
    id: text('id').primaryKey(),
    amount: integer('amount').notNull(),
  })
  const entries = () => fresh.db.select().from(ledger).orderBy(ledger.id)
  return { ...fresh, ledger, entries, runOne: (one: Handler) => runOne(fresh, one) }
}

async function runOne({ pgq }: FreshQueue, one: Handler): Promise<JobRecord> {
  const worker = pgq.createWorker([one])
  await worker.start()
  const { id } = await pgq.enqueue(posts, { amount: 100 })
  const record = await until('the job ends', async () => {
    const job = await pgq.get(id)
    return job && ['completed', 'dead', 'cancelled'].includes(job.status) ? job : null
  })
  await worker.stop()
  return record
}

describe('a handler with Drizzle', () => {
  it('commits what it writes, what it enqueues and its completion together', async () => {
    const { pgq, ledger, runOne: run, entries } = await freshLedger()
    const next = defineQueue('next')
    const seen: unknown[] = []
    const job = await run(
      handler(async (tx, { id, payload }) => {
        await tx.insert(ledger).values({ id, amount: payload.amount })
        await pgq.enqueue(next, { after: id }, { tx: fromDrizzle(tx) })
        seen.push(await entries(), (await pgq.list({ queue: 'next' })).jobs)
        return { posted: await tx.$count(ledger) }
      }),
    )
    expect(seen).toEqual([[], []]) // nothing was to be seen from outside before the end
    expect(job).toMatchObject({ status: 'completed', result: { posted: 1 }, attempts: 1 })
    expect(await entries()).toEqual([{ id: job.id, amount: 100 }])
    expect((await pgq.list({ queue: 'next' })).jobs).toMatchObject([{ payload: { after: job.id } }])
  })

  it.each<[string, (tx: Tx) => unknown, string]>([
    ['throws', () => Promise.reject(new Error('told to fail')), 'told to fail'],
    ['rolls back', (tx) => tx.rollback(), 'Rollback'],
    ['commits by itself', (tx) => tx.execute('commit'), 'begins and ends by itself'],
    ['rolls back by itself', (tx) => tx.execute('  ROLLBACK'), 'begins and ends by itself'],
    [
      'has a failed query that it passes over',
      (tx) => tx.execute('SELECT 1 / 0').catch(() => {}),
      'division by zero',
    ],
    [
      'has a failed query that nobody awaits',
      (tx) => void tx.execute('SELECT 1 / 0').then(undefined, () => {}),
      'division by zero',
    ],
  ])('leaves nothing when it %s', async (_what, end, message) => {
    const { ledger, runOne: run, entries } = await freshLedger()
    const job = await run(
      handler(async (tx, { id, payload }) => {
        await tx.insert(ledger).values({ id, amount: payload.amount })
        await end(tx)
      }),
    )
    expect(job).toMatchObject({ status: 'dead', attempts: 2 })
    expect(JSON.stringify(job.errors)).toContain(message)
    expect(await entries()).toEqual([])
  })

  it('stores the reason of a query that failed, and none of its values', async () => {
    const { ledger, runOne: run } = await freshLedger()
    const job = await run(
      handler(async (tx) => {
        await tx.insert(ledger).values({ id: 'hunter2', amount: 1 })
        await tx.insert(ledger).values({ id: 'hunter2', amount: 1 })
      }),
    )
    expect(job).toMatchObject({
      status: 'dead',
      error: expect.stringMatching(/^duplicate key value violates unique constraint "payments_pkey"/),
      errors: [{ stack: expect.stringContaining('handle-with-drizzle.test') }, {}],
    })
    expect(JSON.stringify(job)).not.toMatch(/hunter2|Failed query/)
  })

  it('succeeds in a later attempt with that attempt alone', async () => {
    const { ledger, runOne: run, entries } = await freshLedger()
    const job = await run(
      handler(async (tx, { id, attempt }) => {
        await tx.insert(ledger).values({ id, amount: attempt })
        if (attempt === 1) throw new Error('the first time')
      }),
    )
    expect(job).toMatchObject({ status: 'completed', attempts: 2 })
    expect(await entries()).toEqual([{ id: job.id, amount: 2 }])
  })

  it('rolls a nested transaction back alone', async () => {
    const { ledger, runOne: run, entries } = await freshLedger()
    const job = await run(
      handler(async (tx, { id }) => {
        await tx.insert(ledger).values({ id, amount: 1 })
        const nested = tx.transaction(async (inner) => {
          await inner.insert(ledger).values({ id: 'nested', amount: 2 })
          inner.rollback()
        })
        await nested.catch(() => {})
        await tx.transaction((inner) => inner.insert(ledger).values({ id: 'kept', amount: 3 }))
      }),
    )
    expect(job.status).toBe('completed')
    expect((await entries()).map((entry) => entry.amount).toSorted((a, b) => a - b)).toEqual([1, 3])
  })

  it('rolls back a nested transaction that nobody awaits', async () => {
    const { ledger, runOne: run, entries } = await freshLedger()
    const job = await run(
      handler((tx, { id }) => {
        const nested = tx.transaction(async (inner) => {
          await inner.insert(ledger).values({ id, amount: 1 })
          inner.rollback()
        })
        nested.catch(() => {})
      }),
    )
    expect(job.status).toBe('completed')
    expect(await entries()).toEqual([])
  })

  it('commits a query that nobody awaits', async () => {
    const { ledger, runOne: run, entries } = await freshLedger()
    await run(handler((tx, { id }) => void tx.insert(ledger).values({ id, amount: 1 }).execute()))
    expect(await entries()).toHaveLength(1)
  })

  it('begins with the first query, and takes its isolation level there', async () => {
    const { sql, runOne: run, schema } = await freshLedger()
    const open = () =>
      sql(`SELECT FROM pg_stat_activity WHERE application_name = '${schema}' AND xact_start IS NOT NULL`)
    const levels: unknown[] = []
    await run(
      handler(async (tx) => {
        await sleep(20)
        await tx.setTransaction({ isolationLevel: 'serializable' })
        await tx.execute(`SET LOCAL application_name = '${schema}'`)
        levels.push((await tx.execute(`SHOW transaction_isolation`)).rows, await open())
      }),
    )
    expect(levels).toEqual([[{ transaction_isolation: 'serializable' }], [{}]])
    expect(await open()).toEqual([])
  })

  it('ends in another way by what it throws, as every handler', async () => {
    const { ledger, runOne: run, entries } = await freshLedger()
    let runs = 0
    const job = await run(
      handler(async (tx, { id }) => {
        await tx.insert(ledger).values({ id, amount: ++runs })
        if (runs === 1) throw new SnoozeJob(0)
      }),
    )
    expect(job).toMatchObject({ status: 'completed', attempts: 1 })
    expect(await entries()).toEqual([{ id: job.id, amount: 2 }])
  })

  it('refuses what comes after its end', async () => {
    const { pgq, ledger, runOne: run, entries } = await freshLedger()
    const kept: Tx[] = []
    await run(handler((tx) => void kept.push(tx)))
    await run(
      handler(async (tx) => {
        kept.push(tx)
        await tx.execute('SELECT 1')
      }),
    )
    for (const tx of kept) {
      const late = tx.insert(ledger).values({ id: 'late', amount: 1 })
      await expect(late).rejects.toMatchObject({ cause: { code: 'TRANSACTION_CLOSED' } })
      const enqueue = pgq.enqueue(posts, { amount: 1 }, { tx: fromDrizzle(tx) })
      await expect(enqueue).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' })
    }
    expect(await entries()).toEqual([])
  })

  it('has the relational queries and prepared statements of its db', async () => {
    const { ledger, runOne: run, schema } = await freshLedger()
    const answers: unknown[] = []
    const job = await run(
      handleWithDrizzle((client) => withRelations(client, { ledger }))(posts, async ({ id }, ctx) => {
        const { tx } = ctx
        await ctx.progress('here')
        await tx.insert(ledger).values({ id, amount: 7 })
        answers.push(await tx.query.ledger.findFirst({ columns: { amount: true } }))
        const prepared = tx.select({ amount: ledger.amount }).from(ledger).prepare(`of_${schema}`)
        answers.push(await prepared.execute(), await prepared.execute())
      }),
    )
    expect(job).toMatchObject({ status: 'completed', progress: 'here' })
    expect(answers).toEqual([{ amount: 7 }, [{ amount: 7 }], [{ amount: 7 }]])
  })

  it('refuses a db that is not on the connection of the job', async () => {
    const { db, ledger, runOne: run, entries } = await freshLedger()
    const elsewhere = handleWithDrizzle(() => db)
    const job = await run(
      elsewhere(posts, async ({ id }, { tx }) => void (await tx.insert(ledger).values({ id, amount: 1 }))),
    )
    expect(job).toMatchObject({
      status: 'dead',
      error: expect.stringContaining('not on the connection it was given'),
    })
    expect(await entries()).toEqual([])
  })

  it('runs many at once, each in its own transaction', async () => {
    const { pgq, ledger, entries } = await freshLedger()
    const worker = pgq.createWorker([
      handle(
        posts,
        async ({ id, payload, attempt }, { tx }) => {
          await tx.insert(ledger).values({ id, amount: payload.amount })
          await sleep(payload.amount % 7)
          if (payload.amount % 5 === 0 && attempt === 1) tx.rollback()
        },
        { concurrency: 30 },
      ),
    ])
    await worker.start()
    await pgq.enqueueMany(
      posts,
      Array.from({ length: 100 }, (_, amount) => ({ amount })),
    )
    await until('all are completed', async () => {
      const [count] = await pgq.counts({ status: 'completed' })
      return count?.jobs === 100
    })
    await worker.stop()
    expect((await entries()).map(({ amount }) => amount).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, amount) => amount),
    )
  })

  it('posts exactly once when its process is killed half-way', async () => {
    const { pgq, schema, databaseUrl, sql } = await freshQueue('node-postgres')
    await sql(`CREATE TABLE ${schema}.ledger (job_id uuid, attempt integer)`)
    const first = await startPoster({ url: databaseUrl, schema, waitMs: 60_000 })
    const { id } = await pgq.enqueue(defineQueue('post'), {})
    await first.said('written')
    await first.kill()
    expect(await sql(`SELECT FROM ${schema}.ledger`)).toEqual([])
    const second = await startPoster({ url: databaseUrl, schema, waitMs: 0 })
    await second.said('completed')
    expect(await sql(`SELECT job_id, attempt FROM ${schema}.ledger`)).toEqual([{ job_id: id, attempt: 2 }])
    expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 2 })
  })

  it.each<[string, () => unknown, string]>([
    ['a db that is made already', () => handleWithDrizzle({} as never), 'db of handleWithDrizzle'],
    ['no handler', () => handle(posts, undefined as never), 'the handler of queue "post"'],
    ['an unknown option', () => handle(posts, () => {}, { concurency: 5 } as never), 'concurency'],
    [
      'no transaction',
      () => handle(posts, () => {}, { transactional: false } as never),
      'transactional in any case',
    ],
  ])('says what is wrong with %s', (_what, make, message) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(message) }),
    )
  })
})

/** A db that knows the relations of tables, as each version declares them. */
function withRelations(
  client: Parameters<Parameters<typeof handleWithDrizzle>[0]>[0],
  schema: Record<string, unknown>,
) {
  const { defineRelations } = orm as unknown as { defineRelations?: (tables: unknown) => unknown }
  const config = defineRelations ? { relations: defineRelations(schema) } : { schema }
  return drizzle({ client, ...config }) as unknown as ReturnType<typeof drizzle<{ ledger: Ledger }>>
}

type Ledger = Awaited<ReturnType<typeof freshLedger>>['ledger']
