import { defineQueue, type } from '@pgq/core'
import { pgSchema, integer, text } from 'drizzle-orm/pg-core'
import { describe, expect, it } from 'vitest'
import { fromDrizzle } from '../src/index.ts'
import { DRIVERS } from './support/drivers.ts'
import { freshQueue } from './support/fresh-queue.ts'

const receipts = defineQueue('payment.receipt', { payload: type<{ paymentId: string; note?: string }>() })

describe.each(DRIVERS)('fromDrizzle on %s', (driver) => {
  it('commits the job with the row', async () => {
    const { db, pgq, schema, payloads, sql: run } = await freshQueue(driver)
    const payments = paymentsIn(schema)
    const { id } = await db.transaction(async (tx) => {
      await tx.insert(payments).values({ id: 'p_1', amount: 100 })
      return pgq.enqueue(receipts, { paymentId: 'p_1' }, { tx: fromDrizzle(tx) })
    })
    expect(await payloads()).toEqual([{ paymentId: 'p_1' }])
    expect(await run(`SELECT id FROM ${schema}.jobs`)).toEqual([{ id }])
    expect(await db.select().from(payments)).toEqual([{ id: 'p_1', amount: 100 }])
  })

  it('leaves no job when the transaction rolls back', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    const failing = db.transaction(async (tx) => {
      await pgq.enqueue(receipts, { paymentId: 'p_1' }, { tx: fromDrizzle(tx) })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await payloads()).toEqual([])
  })

  it('rolls a nested transaction back alone', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    await db.transaction(async (tx) => {
      await pgq.enqueue(receipts, { paymentId: 'outer' }, { tx: fromDrizzle(tx) })
      const nested = tx.transaction(async (inner) => {
        await pgq.enqueue(receipts, { paymentId: 'inner' }, { tx: fromDrizzle(inner) })
        inner.rollback()
      })
      await expect(nested).rejects.toThrow('Rollback')
      await tx.transaction((inner) =>
        pgq.enqueue(receipts, { paymentId: 'kept' }, { tx: fromDrizzle(inner) }),
      )
    })
    expect(await payloads()).toEqual([{ paymentId: 'outer' }, { paymentId: 'kept' }])
  })

  it('commits each call by itself on a db', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    await pgq.enqueue(receipts, { paymentId: 'p_1' }, { tx: fromDrizzle(db) })
    expect(await payloads()).toEqual([{ paymentId: 'p_1' }])
  })

  it('is in order before the rollback when nobody awaits it', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    let floating: Promise<unknown> | undefined
    const failing = db.transaction(async (tx) => {
      floating = pgq.enqueue(receipts, { paymentId: 'floating' }, { tx: fromDrizzle(tx) }).catch(() => {})
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    await floating
    expect(await payloads()).toEqual([])
  })

  it('is in order before the commit when nobody awaits it', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    let floating: Promise<unknown> | undefined
    await db.transaction(async (tx) => {
      floating = pgq.enqueue(receipts, { paymentId: 'floating' }, { tx: fromDrizzle(tx) })
    })
    await floating
    expect(await payloads()).toEqual([{ paymentId: 'floating' }])
  })

  it('passes names and texts that look like parameters', async () => {
    const { db, pgq, payloads } = await freshQueue(driver, { schema: 'odd $1 ? "name" ü' })
    const note = `$1 $2 ? ?| "quoted" 'it''s' \\ 🦊 \u2028 :name {}`
    await db.transaction((tx) => pgq.enqueue(receipts, { paymentId: '$1', note }, { tx: fromDrizzle(tx) }))
    expect(await payloads()).toEqual([{ paymentId: '$1', note }])
  })

  it('writes many jobs, and tells which were there already', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    const many = Array.from({ length: 6_000 }, (_, n) => ({ paymentId: `p_${n}` }))
    const again = await db.transaction(async (tx) => {
      await pgq.enqueueMany(receipts, many, { tx: fromDrizzle(tx) })
      const first = await pgq.enqueue(receipts, { paymentId: 'k' }, { tx: fromDrizzle(tx), uniqueKey: 'k' })
      const second = await pgq.enqueue(receipts, { paymentId: 'k' }, { tx: fromDrizzle(tx), uniqueKey: 'k' })
      return { first, second }
    })
    expect(await payloads()).toHaveLength(6_001)
    expect(again.second).toEqual({ id: again.first.id, deduplicated: true })
  })
})

const paymentsIn = (schema: string) =>
  pgSchema(schema).table('payments', { id: text('id').primaryKey(), amount: integer('amount').notNull() })
