import type pg from 'pg'
import { expect, test } from 'vitest'
import { defineQueue, type Json, type Queryable } from '../src/index.ts'
import { AnswerStore } from '../src/store/answer-store.ts'
import { PgDatabase } from '../src/store/pg-database.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'

const queue = defineQueue('order')
const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })

/** Does something once under a key, in a transaction of its own, and counts how often it was done. */
async function order(
  { pgq }: FreshQueue,
  key: string,
  options: { readonly fingerprint?: string; readonly scope?: string; readonly fail?: boolean } = {},
): Promise<{ readonly value: Json; readonly replayed: boolean }> {
  const { fail = false, ...rest } = options
  return pgq.transaction((tx) =>
    pgq.once({ tx, key, ...rest }, async () => {
      const { id } = await pgq.enqueue(queue, { key }, { tx })
      if (fail) throw new Error('the work has failed')
      return { id }
    }),
  )
}

const jobs = async ({ pgq }: FreshQueue): Promise<number> => (await pgq.list()).jobs.length

test('the same key does the work once, and gets the same answer', async () => {
  const fresh = await freshQueue()
  const first = await order(fresh, 'k')
  expect(first.replayed).toBe(false)
  expect(await order(fresh, 'k')).toEqual({ value: first.value, replayed: true })
  expect(await jobs(fresh)).toBe(1)
})

test('other keys and other scopes are other work', async () => {
  const fresh = await freshQueue()
  for (const scope of ['a', 'b', '']) {
    for (const key of ['k', 'K', `it's "$1" ü 🎉`])
      expect((await order(fresh, key, { scope })).replayed).toBe(false)
  }
  expect(await jobs(fresh)).toBe(9)
})

test('a key that was used for something else is refused', async () => {
  const fresh = await freshQueue()
  await order(fresh, 'k', { fingerprint: 'one' })
  await expect(order(fresh, 'k', { fingerprint: 'two' })).rejects.toThrow(coded('IDEMPOTENCY_KEY_REUSED'))
  expect(await jobs(fresh)).toBe(1)
})

test('work that fails, and work that is rolled back, is not remembered', async () => {
  const fresh = await freshQueue()
  await expect(order(fresh, 'k', { fail: true })).rejects.toThrow('the work has failed')
  const { pgq } = fresh
  const rolledBack = pgq.transaction(async (tx) => {
    await pgq.once({ tx, key: 'k' }, async () => pgq.enqueue(queue, {}, { tx }).then(({ id }) => id))
    throw new Error('rolled back')
  })
  await expect(rolledBack).rejects.toThrow('rolled back')
  expect(await jobs(fresh)).toBe(0)
  expect((await order(fresh, 'k')).replayed).toBe(false)
})

test('of many at once one does the work, and the others hear that it goes on or what it came to', async () => {
  const fresh = await freshQueue()
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => order(fresh, 'k')))
  const done = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
  expect(done.filter(({ value }) => !value.replayed)).toHaveLength(1)
  for (const { reason } of refused) expect(reason).toEqual(coded('IDEMPOTENCY_KEY_IN_USE'))
  expect(await jobs(fresh)).toBe(1)
})

const mustNotBeDone = (): Promise<number> => Promise.reject(new Error('must not be done'))

/** Two connections of the test, each in a transaction. */
async function twoTransactions(
  { pool }: FreshQueue,
  begin: string,
  use: (one: pg.PoolClient, two: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const clients = [await pool.connect(), await pool.connect()] as const
  try {
    for (const client of clients) await client.query(begin)
    await use(...clients)
  } finally {
    for (const client of clients) client.release(true)
  }
}

test('while one transaction works on a key another one is told so, and need not wait', async () => {
  const fresh = await freshQueue()
  await twoTransactions(fresh, 'BEGIN', async (one, two) => {
    await fresh.pgq.once({ tx: one, key: 'k' }, async () => 1)
    const second = fresh.pgq.once({ tx: two, key: 'k' }, async () => 2)
    await expect(second).rejects.toThrow(coded('IDEMPOTENCY_KEY_IN_USE'))
    await one.query('COMMIT')
    // Its transaction has not suffered, and sees the answer now.
    expect(await fresh.pgq.once({ tx: two, key: 'k' }, async () => 2)).toEqual({ value: 1, replayed: true })
  })
})

test('a transaction that cannot see the answer stores no second one', async () => {
  const fresh = await freshQueue()
  await twoTransactions(fresh, 'BEGIN ISOLATION LEVEL REPEATABLE READ', async (one, two) => {
    await two.query('SELECT 1') // takes its snapshot
    await fresh.pgq.once({ tx: one, key: 'k' }, async () => 1)
    await one.query('COMMIT')
    await expect(fresh.pgq.once({ tx: two, key: 'k' }, async () => 2)).rejects.toThrow(
      expect.objectContaining({ code: '40001' }),
    )
    await two.query('ROLLBACK')
    await two.query('BEGIN')
    expect(await fresh.pgq.once({ tx: two, key: 'k' }, async () => 2)).toMatchObject({ value: 1 })
  })
})

test('an answer is forgotten when its time is over, and deleted', async () => {
  const fresh = await freshQueue()
  await order(fresh, 'k')
  await fresh.sql(`UPDATE ${fresh.schema}.idempotency_keys SET expires_at = now()`)
  expect((await order(fresh, 'k')).replayed).toBe(false)
  expect((await order(fresh, 'k')).replayed).toBe(true)
  await order(fresh, 'other')
  await fresh.sql(`UPDATE ${fresh.schema}.idempotency_keys SET expires_at = now() WHERE key = 'k'`)
  const database = new PgDatabase({ pool: fresh.pool, schema: fresh.schema, ours: false })
  const store = new AnswerStore(tablesIn(fresh.schema))
  expect([await store.deleteExpired(database, 10), await store.deleteExpired(database, 10)]).toEqual([1, 0])
  expect(await fresh.sql(`SELECT key FROM ${fresh.schema}.idempotency_keys`)).toEqual([{ key: 'other' }])
})

test('answers come back as they were given: as JSON', async () => {
  const { pgq } = await freshQueue()
  const value = { text: `"'\\ü🎉`, list: [1, 2.5, null, true], nested: { deep: [[]] } }
  for (const replayed of [false, true]) {
    expect(await pgq.transaction((tx) => pgq.once({ tx, key: 'k' }, async () => value))).toEqual({
      value,
      replayed,
    })
  }
  expect(await pgq.transaction((tx) => pgq.once({ tx, key: 'null' }, async () => null))).toEqual({
    value: null,
    replayed: false,
  })
  expect(await pgq.transaction((tx) => pgq.once({ tx, key: 'null' }, async () => 1))).toMatchObject({
    value: null,
    replayed: true,
  })
  const strange = pgq.transaction((tx) => pgq.once({ tx, key: 'x' }, async () => Number.NaN))
  await expect(strange).rejects.toThrow(coded('INVALID_OPTION'))
})

test('bad options are refused before anything is done', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  await pgq.transaction(async (tx) => {
    for (const bad of [
      { key: '' },
      { key: 'k'.repeat(501) },
      { key: 'a\0' },
      { ttl: 1 },
      { scope: 5 },
      { other: 1 },
    ]) {
      await expect(pgq.once({ tx, key: 'k', ...(bad as object) }, mustNotBeDone)).rejects.toThrow(
        coded('INVALID_OPTION'),
      )
    }
  })
  const autocommit: Queryable = { query: (text, values) => fresh.pool.query(text, values), autocommit: true }
  for (const tx of [fresh.pool, autocommit, {} as Queryable]) {
    await expect(pgq.once({ tx, key: 'k' }, mustNotBeDone)).rejects.toThrow(coded('INVALID_OPTION'))
  }
  const client = await fresh.pool.connect()
  await expect(pgq.once({ tx: client, key: 'k' }, mustNotBeDone)).rejects.toThrow(coded('TRANSACTION_CLOSED'))
  client.release()
})
