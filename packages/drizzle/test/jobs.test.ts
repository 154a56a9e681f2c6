import { defineQueue, type Pgq } from '@pgq/core'
import { and, asc, desc, eq, gte, inArray, isNull, sql } from 'drizzle-orm'
import { alias, integer, pgSchema, QueryBuilder, text } from 'drizzle-orm/pg-core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fromDrizzle, jobs, jobsIn, jobsOf } from '../src/index.ts'
import { DRIVERS, startDrivers } from './support/drivers.ts'
import { freshQueue, type FreshQueue } from './support/fresh-queue.ts'

const receipts = defineQueue('payment.receipt', {
  payload: z.object({ paymentId: z.string(), at: z.coerce.date().optional() }),
  result: z.object({ messageId: z.string() }),
})
const refunds = defineQueue('payment.refund', { payload: z.object({ paymentId: z.string() }) })

startDrivers()

describe.each(DRIVERS)('the jobs on %s', (driver) => {
  it('read in the types that they are declared in', async () => {
    const fresh = await freshQueue(driver)
    const { db, pgq, schema } = fresh
    const before = new Date(Date.now() - 60_000)
    const id = await enqueue(
      fresh,
      receipts,
      { paymentId: 'p_1' },
      { delay: '1h', metadata: { tenant: 'acme' } },
    )
    const all = jobsIn(schema)
    const [job] = await db.select().from(all)
    expect(job).toEqual({
      id,
      queueName: 'payment.receipt',
      payload: { paymentId: 'p_1' },
      status: 'pending',
      priority: 0,
      attempts: 0,
      maxAttempts: 3,
      fence: 0,
      scheduledFor: expect.any(Date),
      createdAt: expect.any(Date),
      startedAt: null,
      completedAt: null,
      lockedBy: null,
      crashes: 0,
      timeoutMs: null,
      uniqueKey: null,
      groupKey: null,
      cost: null,
      error: null,
      errors: null,
      result: null,
      progress: null,
      backoff: null,
      metadata: { tenant: 'acme' },
    })
    expect((job?.scheduledFor.getTime() ?? 0) - (job?.createdAt.getTime() ?? 0)).toBe(3_600_000)
    // A Date as a parameter is the same instant, whatever the time zones of driver and server.
    expect(await db.select().from(all).where(gte(all.createdAt, before))).toHaveLength(1)
    expect(
      await db
        .select()
        .from(all)
        .where(gte(all.createdAt, new Date(Date.now() + 60_000))),
    ).toEqual([])
    expect(pgq.schema).toBe(schema)
  })

  it('tell how they ended', async () => {
    const fresh = await freshQueue(driver)
    const { db, schema, sql: run } = fresh
    await enqueue(fresh, receipts, { paymentId: 'p_1' })
    const record = {
      attempt: 1,
      at: '2026-11-20T12:00:00+00:00',
      name: 'Error',
      message: `it's "down"`,
      stack: 'Error',
    }
    await run(`UPDATE ${schema}.jobs SET status = 'dead', attempts = 3, completed_at = '2026-11-20 12:00:00.5+00',
      error = 'it is down', errors = '${JSON.stringify([record]).replaceAll("'", "''")}',
      progress = '{"done": [1, null]}', backoff = '{"type": "fixed", "delayMs": 5}', timeout_ms = 250`)
    const [job] = await db
      .select()
      .from(jobsIn(schema))
      .where(eq(jobsIn(schema).status, 'dead'))
    expect(job).toMatchObject({
      completedAt: new Date('2026-11-20T12:00:00.500Z'),
      error: 'it is down',
      errors: [record],
      progress: { done: [1, null] },
      backoff: { type: 'fixed', delayMs: 5 },
      timeoutMs: 250,
    })
  })

  it('join with tables, one queue by its types', async () => {
    const fresh = await freshQueue(driver)
    const { db, schema, sql: run } = fresh
    const payments = paymentsIn(schema)
    await db.insert(payments).values(['p_1', 'p_2', 'p_3'].map((id, index) => ({ id, amount: index * 100 })))
    await enqueue(fresh, receipts, { paymentId: 'p_1' })
    await enqueue(fresh, receipts, { paymentId: 'p_2' })
    await enqueue(fresh, refunds, { paymentId: 'p_2' })
    await run(
      `UPDATE ${schema}.jobs SET status = 'completed', completed_at = now(), result = '{"messageId": "m"}' WHERE payload ->> 'paymentId' = 'p_1'`,
    )
    const receiptJobs = jobsOf(receipts, { schema })
    const rows = await db
      .select()
      .from(payments)
      .leftJoin(receiptJobs, eq(sql`${receiptJobs.payload} ->> 'paymentId'`, payments.id))
      .orderBy(asc(payments.id))
    expect(
      rows.map(({ payments: { id }, jobs: job }) => [
        id,
        job?.payload.paymentId,
        job?.result?.messageId,
        job?.status,
      ]),
    ).toEqual([
      ['p_1', 'p_1', 'm', 'completed'],
      ['p_2', 'p_2', undefined, 'pending'],
      ['p_3', undefined, undefined, undefined],
    ])
  })

  it('join twice in one query', async () => {
    const fresh = await freshQueue(driver)
    const { db, schema } = fresh
    const payments = paymentsIn(schema)
    await db.insert(payments).values({ id: 'p_1', amount: 1 })
    await enqueue(fresh, receipts, { paymentId: 'p_1' })
    await enqueue(fresh, refunds, { paymentId: 'p_1' }, { priority: 7 })
    const sent = jobsOf(receipts, { schema, as: 'sent' })
    const paidBack = jobsOf(refunds, { schema, as: 'paid_back' })
    const [row] = await db
      .select({ id: payments.id, sent: sent.queueName, back: paidBack.priority })
      .from(payments)
      .innerJoin(sent, eq(sql`${sent.payload} ->> 'paymentId'`, payments.id))
      .innerJoin(
        paidBack,
        and(eq(sql`${paidBack.payload} ->> 'paymentId'`, payments.id), isNull(paidBack.error)),
      )
    expect(row).toEqual({ id: 'p_1', sent: 'payment.receipt', back: 7 })
    const all = jobsIn(schema)
    const other = alias(all, 'other')
    const pairs = await db.select({ id: all.id }).from(all).innerJoin(other, eq(other.payload, all.payload))
    expect(pairs).toHaveLength(4)
  })

  it('count, order and filter as every table does', async () => {
    const fresh = await freshQueue(driver)
    const { db, schema } = fresh
    for (const [index, paymentId] of ['p_1', 'p_2', 'p_3'].entries()) {
      await enqueue(fresh, receipts, { paymentId }, { priority: index, uniqueKey: paymentId })
    }
    const all = jobsIn(schema)
    const keys = await db
      .select({ key: all.uniqueKey })
      .from(all)
      .where(inArray(all.priority, [1, 2]))
      .orderBy(desc(all.priority))
    expect(keys).toEqual([{ key: 'p_3' }, { key: 'p_2' }])
    expect(await db.$count(all, eq(all.queueName, 'payment.receipt'))).toBe(3)
    expect(await db.$count(jobsOf(refunds, { schema }) as never)).toBe(0)
  })
})

it('are those of the schema pgq unless they are said to be elsewhere', () => {
  expect(from(jobs)).toContain('from "pgq"."jobs"')
  expect(from(jobsIn('a $1 b'))).toContain('from "a $1 b"."jobs"')
  expect(from(jobsIn('public'))).toContain('from "jobs"')
})

it.each<[string, () => unknown, string]>([
  ['a schema without a name', () => jobsIn(''), 'INVALID_OPTION'],
  ['something else than a queue', () => jobsOf({} as never), 'INVALID_QUEUE'],
  ['nothing at all', () => jobsOf(undefined as never), 'INVALID_QUEUE'],
  ['an unknown option', () => jobsOf(receipts, { alias: 'x' } as never), 'INVALID_OPTION'],
])('refuses %s', (_what, make, code) => {
  expect(make).toThrow(expect.objectContaining({ name: 'PgqError', code }))
})

/** Through Drizzle, since on PGlite there is no other way. */
async function enqueue(
  { db, pgq }: FreshQueue,
  queue: Parameters<Pgq['enqueue']>[0],
  payload: unknown,
  options: Parameters<Pgq['enqueue']>[2] = {},
): Promise<string> {
  return (await pgq.enqueue(queue, payload, { ...options, tx: fromDrizzle(db) })).id
}

const paymentsIn = (schema: string) =>
  pgSchema(schema).table('payments', { id: text('id').primaryKey(), amount: integer('amount').notNull() })

const from = (view: ReturnType<typeof jobsIn>): string =>
  new QueryBuilder().select({ id: view.id }).from(view).toSQL().sql
