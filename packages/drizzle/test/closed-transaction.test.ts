import { defineQueue, type Queryable } from '@pgq/core'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromDrizzle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

const queue = defineQueue('late')
const CLOSED = expect.objectContaining({ name: 'PgqError', code: 'TRANSACTION_CLOSED' })

describe('a transaction that has ended', () => {
  it.each(['node-postgres', 'pglite'] as const)(
    'is refused on %s, made before or after its end',
    async (driver) => {
      const { db, pgq, payloads } = await freshQueue(driver)
      let ended: { tx: Parameters<typeof fromDrizzle>[0]; queryable: Queryable } | undefined
      await db.transaction(async (tx) => void (ended = { tx, queryable: fromDrizzle(tx) }))
      if (!ended) throw new Error('it did not run')
      await expect(pgq.enqueue(queue, 1, { tx: ended.queryable })).rejects.toThrow(CLOSED)
      await expect(pgq.enqueue(queue, 1, { tx: fromDrizzle(ended.tx) })).rejects.toThrow(CLOSED)
      expect(await payloads()).toEqual([])
    },
  )

  it('is not taken for the next one on its connection', async () => {
    const { pgq, databaseUrl, payloads } = await freshQueue('node-postgres')
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
    onTestFinished(() => pool.end())
    const db = drizzle({ client: pool })
    let ended: Queryable | undefined
    await db.transaction(async (tx) => void (ended = fromDrizzle(tx)))
    await db.transaction(async (tx) => {
      await pgq.enqueue(queue, 'mine', { tx: fromDrizzle(tx) })
      await expect(pgq.enqueue(queue, 'late', { tx: ended as Queryable })).rejects.toThrow(CLOSED)
    })
    expect(await payloads()).toEqual(['mine'])
  })

  it('is told on a client of its own too', async () => {
    const { pgq, databaseUrl, payloads } = await freshQueue('node-postgres')
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    onTestFinished(() => client.end())
    const db = drizzle({ client })
    let ended: Queryable | undefined
    await db.transaction(async (tx) => {
      ended = fromDrizzle(tx)
      await pgq.enqueue(queue, 'in time', { tx: ended })
    })
    await expect(pgq.enqueue(queue, 'late', { tx: ended as Queryable })).rejects.toThrow(CLOSED)
    expect(await payloads()).toEqual(['in time'])
  })
})
