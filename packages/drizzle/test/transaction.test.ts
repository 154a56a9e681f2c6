import { defineQueue, PgqError, type Pgq } from '@pgq/core'
import { until } from '@pgq/test-support'
import { integer, pgSchema, text } from 'drizzle-orm/pg-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { transaction, type TransactionJobs } from '../src/index.ts'
import { DRIVERS, startDrivers } from './support/drivers.ts'
import { texts } from './support/error-texts.ts'
import { freshQueue } from './support/fresh-queue.ts'

const receipts = defineQueue('payment.receipt', { payload: z.object({ paymentId: z.string() }) })
const slow = defineQueue('payment.slow', {
  payload: z.object({ paymentId: z.string().refine(async (id) => (await tick(), id !== 'bad')) }),
})

startDrivers()

describe.each(DRIVERS)('transaction on %s', (driver) => {
  it('commits rows and jobs together, and returns what the work returns', async () => {
    const { db, pgq, schema, payloads } = await freshQueue(driver)
    const payments = paymentsIn(schema)
    const results = await transaction(pgq, db, async (tx, jobs) => {
      await tx.insert(payments).values({ id: 'p_1', amount: 1 })
      const one = await jobs.enqueue(receipts, { paymentId: 'p_1' }, { priority: 3 })
      const many = await jobs.enqueueMany(receipts, [{ paymentId: 'p_2' }, { paymentId: 'p_3' }])
      return [one, ...many]
    })
    expect(results.map((result) => result.deduplicated)).toEqual([false, false, false])
    expect(await payloads()).toEqual(['p_1', 'p_2', 'p_3'].map((paymentId) => ({ paymentId })))
    expect(await db.select().from(payments)).toHaveLength(1)
  })

  it('waits for what nobody awaited', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    await transaction(pgq, db, async (_tx, jobs) => {
      void jobs.enqueue(slow, { paymentId: 'one' })
      void jobs.enqueue(slow, { paymentId: 'two' }).then(() => jobs.enqueue(slow, { paymentId: 'three' }))
    })
    expect(await payloads()).toHaveLength(3)
  })

  it.each([
    ['the schema refuses', receipts, { paymentId: 5 as never }, 'INVALID_PAYLOAD'],
    ['an asynchronous schema refuses', slow, { paymentId: 'bad' }, 'INVALID_PAYLOAD'],
  ])('rolls back when %s one that nobody awaited', async (_what, queue, payload, code) => {
    const { db, pgq, schema, payloads } = await freshQueue(driver)
    const payments = paymentsIn(schema)
    const crashes = unhandledRejections()
    const failing = transaction(pgq, db, async (tx, jobs) => {
      await tx.insert(payments).values({ id: 'p_1', amount: 1 })
      void jobs.enqueue(queue, payload)
      await jobs.enqueue(receipts, { paymentId: 'p_1' })
    })
    await expect(failing).rejects.toMatchObject({ name: 'PgqError', code })
    expect(await payloads()).toEqual([])
    expect(await db.select().from(payments)).toEqual([])
    expect(crashes).toEqual([])
  })

  it('rolls back with the error of the database when it refuses one that nobody awaited', async () => {
    const { db, pgq, schema, payloads, sql } = await freshQueue(driver)
    await sql(`ALTER TABLE ${schema}.jobs ADD CHECK (priority <> 13)`)
    const crashes = unhandledRejections()
    const failing = transaction(pgq, db, async (_tx, jobs) => {
      await jobs.enqueue(receipts, { paymentId: 'p_1' })
      void jobs.enqueue(receipts, { paymentId: 'p_2' }, { priority: 13 })
    })
    await expect(failing).rejects.toMatchObject({ code: 'DATABASE_REJECTED', sqlState: '23514' })
    expect(await payloads()).toEqual([])
    expect(crashes).toEqual([])
  })

  it('rolls back only when no enqueue is under way any more', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    let settled = false
    const failing = transaction(pgq, db, async (_tx, jobs) => {
      const call = jobs.enqueue(slow, { paymentId: 'p_1' })
      void call.finally(() => (settled = true))
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(settled).toBe(true) // or it would have come in somebody else's transaction, on the same connection
    expect(await payloads()).toEqual([])
  })

  it('goes on after a refused payload that somebody caught', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    await transaction(pgq, db, async (_tx, jobs) => {
      await jobs
        .enqueue(receipts, { paymentId: 5 as never })
        .catch(() => jobs.enqueue(receipts, { paymentId: 'instead' }))
    })
    expect(await payloads()).toEqual([{ paymentId: 'instead' }])
  })

  it('never resolves when PostgreSQL has rolled back', async () => {
    const { db, pgq, schema, payloads } = await freshQueue(driver)
    const payments = paymentsIn(schema)
    await db.insert(payments).values({ id: 'p_1', amount: 1 })
    const failing = transaction(pgq, db, async (tx, jobs) => {
      await jobs.enqueue(receipts, { paymentId: 'p_1' })
      await tx
        .insert(payments)
        .values({ id: 'p_1', amount: 1 })
        .catch(() => {})
    })
    await expect(failing).rejects.toSatisfy(
      (error: unknown) => JSON.stringify(error).match(/25P02|23505/) !== null,
    )
    expect(await payloads()).toEqual([])
  })

  it('tells an enqueue of the statement that failed before it, and keeps the payload to itself', async () => {
    const { db, pgq, schema, payloads } = await freshQueue(driver)
    const payments = paymentsIn(schema)
    await db.insert(payments).values({ id: 'p_1', amount: 1 })
    const refused: unknown[] = []
    const failing = transaction(pgq, db, async (tx, jobs) => {
      await tx
        .insert(payments)
        .values({ id: 'p_1', amount: 1 })
        .catch(() => {})
      await jobs.enqueue(receipts, { paymentId: 'hunter2' }).catch((error: unknown) => refused.push(error))
      await jobs.enqueueMany(receipts, [{ paymentId: 'hunter2' }])
    })
    refused.push(await failing.catch((error: unknown) => error))
    for (const error of refused) {
      expect(error).toMatchObject({ name: 'PgqError', code: 'DATABASE_REJECTED', sqlState: '25P02' })
      expect(texts(error)).not.toContain('hunter2')
    }
    expect(refused).toHaveLength(2)
    expect(await payloads()).toEqual([])
  })

  it('does not blame a payload that was refused for a statement that has failed', async () => {
    const { db, pgq, schema } = await freshQueue(driver)
    const payments = paymentsIn(schema)
    await db.insert(payments).values({ id: 'p_1', amount: 1 })
    const failing = transaction(pgq, db, async (tx, jobs) => {
      await jobs.enqueue(receipts, { paymentId: 5 as never }).catch(() => {})
      await tx
        .insert(payments)
        .values({ id: 'p_1', amount: 1 })
        .catch(() => {})
    })
    await expect(failing).rejects.toSatisfy(
      (error: unknown) => JSON.stringify(error).match(/25P02|23505/) !== null,
    )
  })

  it('rejects an enqueue after the end that nobody awaits: the process hears of the job that it has lost', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    const unhandled = unhandledRejections()
    let late: TransactionJobs | undefined
    await transaction(pgq, db, async (_tx, jobs) => void (late = jobs))
    void late?.enqueue(receipts, { paymentId: 'late' })
    await until('it is told', () => unhandled.length > 0)
    expect(unhandled).toMatchObject([{ name: 'PgqError', code: 'TRANSACTION_CLOSED' }])
    expect(await payloads()).toEqual([])
  })

  it('refuses enqueues after the end, however it ended', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    let late: TransactionJobs | undefined
    await transaction(pgq, db, async (_tx, jobs) => void (late = jobs))
    await expect(late?.enqueue(receipts, { paymentId: 'late' })).rejects.toMatchObject({
      code: 'TRANSACTION_CLOSED',
    })
    await expect(late?.enqueueMany(receipts, [])).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' })
    await transaction(pgq, db, async (_tx, jobs) => {
      late = jobs
      throw new Error('no')
    }).catch(() => {})
    await expect(late?.enqueue(receipts, { paymentId: 'late' })).rejects.toMatchObject({
      code: 'TRANSACTION_CLOSED',
    })
    expect(await payloads()).toEqual([])
  })

  it('passes the config on, and the rollback of Drizzle', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    const isolation = await transaction(
      pgq,
      db,
      async (tx) => rows(await tx.execute(`SELECT current_setting('transaction_isolation') AS level`)),
      { isolationLevel: 'serializable' },
    )
    expect(isolation).toEqual([{ level: 'serializable' }])
    const rolledBack = transaction(pgq, db, async (tx, jobs) => {
      void jobs.enqueue(receipts, { paymentId: 'p_1' })
      tx.rollback()
    })
    await expect(rolledBack).rejects.toThrow('Rollback')
    expect(await payloads()).toEqual([])
  })

  it('nests in a transaction, and rolls back alone there', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    await transaction(pgq, db, async (tx, jobs) => {
      await jobs.enqueue(receipts, { paymentId: 'outer' })
      const nested = transaction(pgq, tx, async (_inner, innerJobs) => {
        await innerJobs.enqueue(receipts, { paymentId: 'inner' })
        throw new Error('inner')
      })
      await expect(nested).rejects.toThrow('inner')
    })
    expect(await payloads()).toEqual([{ paymentId: 'outer' }])
  })

  it('lets a statement fail in a nested transaction', async () => {
    const { db, pgq, schema, payloads } = await freshQueue(driver)
    const payments = paymentsIn(schema)
    await db.insert(payments).values({ id: 'p_1', amount: 1 })
    await transaction(pgq, db, async (tx, jobs) => {
      await jobs.enqueue(receipts, { paymentId: 'p_1' })
      await tx.transaction((inner) => inner.insert(payments).values({ id: 'p_1', amount: 1 })).catch(() => {})
    })
    expect(await payloads()).toEqual([{ paymentId: 'p_1' }])
  })
})

it('says what it needs instead of a db', () => {
  expect(() => transaction({} as Pgq, {} as never, async () => {})).toThrow(PgqError)
})

const paymentsIn = (schema: string) =>
  pgSchema(schema).table('payments', { id: text('id').primaryKey(), amount: integer('amount').notNull() })

const rows = (answer: unknown): unknown =>
  Array.isArray(answer) ? [...answer] : (answer as { rows: unknown }).rows

const tick = () => new Promise((resolve) => setTimeout(resolve, 5))

/** What would have ended the process. */
function unhandledRejections(): unknown[] {
  const seen: unknown[] = []
  const listener = (reason: unknown) => void seen.push(reason)
  process.on('unhandledRejection', listener)
  onTestFinished(() => void process.off('unhandledRejection', listener))
  return seen
}
