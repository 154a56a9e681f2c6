// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the value
import type pg from 'pg'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineQueue, type Queryable } from '../src/index.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'

const queue = defineQueue('mail', { payload: z.object({ n: z.number() }) })
/** Its answer is a promise, so nothing can be sent in the turn of the call. */
const slowly = defineQueue('slowly', {
  payload: z.object({ n: z.number().refine((n) => Promise.resolve(n >= 0)) }),
})
const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })
const jobs = async ({ pgq }: FreshQueue): Promise<number> =>
  (await pgq.counts()).reduce((sum, count) => sum + count.jobs, 0)

/** Runs `work` on one connection of the test's pool. */
async function onClient<T>({ pool }: FreshQueue, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    return await work(client)
  } finally {
    client.release(true)
  }
}

test.each([queue, slowly])('a job of $name exists from the commit on', async (which) => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    const { id } = await fresh.pgq.enqueue(which, { n: 1 }, { tx })
    expect(await fresh.pgq.get(id)).toBeNull()
    await tx.query('COMMIT')
    expect(await fresh.pgq.get(id)).toMatchObject({ id, status: 'pending' })
  })
})

test.each([queue, slowly])('a job of $name is gone with a rollback, and so are many', async (which) => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    await fresh.pgq.enqueue(which, { n: 1 }, { tx })
    await fresh.pgq.enqueueMany(which, [{ n: 2 }, { n: 3 }], { tx })
    await tx.query('ROLLBACK')
  })
  expect(await jobs(fresh)).toBe(0)
})

test('a rollback to a savepoint takes the jobs since then with it, and no others', async () => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    const { id } = await fresh.pgq.enqueue(queue, { n: 1 }, { tx })
    await tx.query('SAVEPOINT s')
    await fresh.pgq.enqueue(slowly, { n: 2 }, { tx })
    await tx.query('ROLLBACK TO s')
    await tx.query('COMMIT')
    expect((await fresh.pgq.list()).jobs.map((job) => job.id)).toEqual([id])
  })
})

test.each([queue, slowly])(
  'an enqueue of $name that nobody awaited leaves no job after a rollback',
  async (which) => {
    const fresh = await freshQueue()
    await onClient(fresh, async (tx) => {
      await tx.query('BEGIN')
      const late = fresh.pgq.enqueue(which, { n: 1 }, { tx }).catch((error: unknown) => error)
      const many = fresh.pgq.enqueueMany(which, [{ n: 1 }, { n: 2 }], { tx }).catch((error: unknown) => error)
      await tx.query('ROLLBACK')
      for (const outcome of await Promise.all([late, many]))
        if (which === slowly) expect(outcome).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    })
    expect(await jobs(fresh)).toBe(0)
  },
)

test('nor does it write into the next transaction of the connection', async () => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    const late = fresh.pgq.enqueue(slowly, { n: 1 }, { tx }).catch((error: unknown) => error)
    void tx.query('ROLLBACK')
    void tx.query('BEGIN')
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' })
    await tx.query('COMMIT')
  })
  expect(await jobs(fresh)).toBe(0)
})

test('of many jobs in several statements that nobody awaited, none is there after a rollback', async () => {
  const fresh = await freshQueue()
  const payloads = Array.from({ length: 12_000 }, (_, n) => ({ n }))
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    const late = fresh.pgq.enqueueMany(queue, payloads, { tx }).catch((error: unknown) => error)
    await tx.query('ROLLBACK')
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' })
  })
  expect(await jobs(fresh)).toBe(0)
})

test('several statements of one call belong to the same transaction', async () => {
  const fresh = await freshQueue()
  const payloads = Array.from({ length: 12_000 }, (_, n) => ({ n }))
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    const results = await fresh.pgq.enqueueMany(queue, payloads, { tx })
    expect(new Set(results.map(({ id }) => id)).size).toBe(12_000)
    expect(await jobs(fresh)).toBe(0)
    await tx.query('COMMIT')
  })
  expect(await jobs(fresh)).toBe(12_000)
})

test('a pool is no transaction, and neither is anything without a query', async () => {
  const fresh = await freshQueue()
  for (const tx of [fresh.pool, { query: 'SELECT' }, 5])
    await expect(fresh.pgq.enqueue(queue, { n: 1 }, { tx: tx as Queryable })).rejects.toThrow(
      coded('INVALID_OPTION'),
    )
  await expect(fresh.pgq.enqueue(queue, { n: 1 }, { tx: fresh.pool })).rejects.toThrow(/pool/)
  expect(await jobs(fresh)).toBe(0)
})

test('an aborted transaction says so itself: callers and ORMs look for 25P02', async () => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    await tx.query('SELECT 1 / 0').catch(() => {})
    for (const which of [queue, slowly])
      await expect(fresh.pgq.enqueue(which, { n: 1 }, { tx })).rejects.toMatchObject({ code: '25P02' })
    await tx.query('ROLLBACK')
  })
})

test('a serialization failure passes through a guest transaction unchanged', async () => {
  const fresh = await freshQueue()
  await fresh.pgq.enqueue(queue, { n: 1 }, { uniqueKey: 'k' })
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await tx.query('SELECT 1')
    await fresh.pgq.enqueue(queue, { n: 1 }, { uniqueKey: 'new since then' })
    await expect(
      fresh.pgq.enqueue(queue, { n: 2 }, { tx, uniqueKey: 'new since then' }),
    ).rejects.toMatchObject({
      code: '40001',
    })
    await tx.query('ROLLBACK')
  })
})

test('a key that an open transaction holds is waited for', async () => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN')
    const holder = await fresh.pgq.enqueue(queue, { n: 1 }, { tx, uniqueKey: 'k' })
    const waiting = fresh.pgq.enqueue(queue, { n: 2 }, { uniqueKey: 'k' })
    await expect
      .poll(() =>
        fresh.sql(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${fresh.schema}%'`,
        ),
      )
      .toHaveLength(1)
    await tx.query('COMMIT')
    expect(await waiting).toEqual({ id: holder.id, deduplicated: true })
  })
})

test('pgq.transaction commits jobs and rows together, or neither', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await sql(`CREATE TABLE ${schema}.payments (n int)`)
  const pay = (n: number, fail: boolean) =>
    pgq.transaction(async (tx) => {
      await tx.query(`INSERT INTO ${schema}.payments VALUES ($1)`, [n])
      await pgq.enqueue(queue, { n }, { tx })
      if (fail) throw new RangeError('too poor')
      return n
    })
  await expect(pay(1, true)).rejects.toThrow(RangeError)
  expect(await jobs(fresh)).toBe(0)
  await expect(pay(2, false)).resolves.toBe(2)
  expect(await sql(`SELECT n FROM ${schema}.payments`)).toEqual([{ n: 2 }])
  expect((await pgq.list()).jobs.map((job) => job.payload)).toEqual([{ n: 2 }])
})

test('a transaction that is over takes nothing more', async () => {
  const fresh = await freshQueue()
  let leaked: Queryable | undefined
  await fresh.pgq.transaction(async (tx) => void (leaked = tx))
  const tx = leaked as Queryable
  await expect(tx.query('SELECT 1')).rejects.toThrow(coded('TRANSACTION_CLOSED'))
  for (const which of [queue, slowly])
    await expect(fresh.pgq.enqueue(which, { n: 1 }, { tx })).rejects.toThrow(coded('TRANSACTION_CLOSED'))
  expect(await jobs(fresh)).toBe(0)
})

test('queries and enqueues of a transaction that nobody awaited are waited for', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await sql(`CREATE TABLE ${schema}.notes (n int)`)
  await pgq.transaction((tx) => {
    void tx.query(`INSERT INTO ${schema}.notes SELECT 1 FROM pg_sleep(0.05)`)
    void pgq.enqueue(queue, { n: 1 }, { tx })
    return Promise.resolve()
  })
  expect(await sql(`SELECT n FROM ${schema}.notes`)).toHaveLength(1)
  expect(await jobs(fresh)).toBe(1)
})

test('so are those that take several queries, one after the other', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await sql(`CREATE TABLE ${schema}.notes (n int)`)
  const outcomes: Promise<unknown>[] = []
  await pgq.transaction((tx) => {
    const payloads = Array.from({ length: 12_000 }, (_, n) => ({ n }))
    const chained = tx
      .query(`SELECT FROM pg_sleep(0.05)`)
      .then(() => tx.query(`INSERT INTO ${schema}.notes VALUES (1)`))
    const calls = [chained, pgq.enqueue(slowly, { n: 1 }, { tx }), pgq.enqueueMany(queue, payloads, { tx })]
    outcomes.push(...calls.map((call) => call.catch((error: unknown) => error)))
    return Promise.resolve()
  })
  for (const outcome of await Promise.all(outcomes)) expect(outcome).not.toBeInstanceOf(Error)
  expect(await jobs(fresh)).toBe(12_001)
  expect(await sql(`SELECT n FROM ${schema}.notes`)).toHaveLength(1)
})

test('a statement whose failure was swallowed fails the commit: nothing was written, and the caller hears it', async () => {
  const fresh = await freshQueue()
  const swallowing = fresh.pgq.transaction(async (tx) => {
    await fresh.pgq.enqueue(queue, { n: 1 }, { tx })
    await Promise.resolve(tx.query('SELECT 1 / 0')).catch(() => {})
  })
  await expect(swallowing).rejects.toThrow(
    expect.objectContaining({ code: 'DATABASE_REJECTED', sqlState: '25P02' }),
  )
  expect(await jobs(fresh)).toBe(0)
})

test('a connection is usable after every way a transaction can end', async () => {
  const fresh = await freshQueue({
    connection: undefined as never,
    connectionString: (await freshQueue()).databaseUrl,
  })
  for (let round = 0; round < 12; round++) {
    await fresh.pgq.transaction(() => Promise.reject(new Error('no'))).catch(() => {})
    await fresh.pgq.transaction((tx) => Promise.resolve(tx.query('SELECT 1 / 0'))).catch(() => {})
    await fresh.pgq
      .transaction(() => {
        throw new Error('thrown at once')
      })
      .catch(() => {})
  }
  expect(await jobs(fresh)).toBe(0)
  expect(
    await fresh.sql(
      `SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND query LIKE '%${fresh.schema}%'`,
    ),
  ).toEqual([])
})

test.each([queue, slowly])(
  'a client whose transaction has ended, or never began, takes no job of $name',
  async (which) => {
    const fresh = await freshQueue()
    await onClient(fresh, async (tx) => {
      await expect(fresh.pgq.enqueue(which, { n: 1 }, { tx })).rejects.toThrow(coded('TRANSACTION_CLOSED'))
      await tx.query('BEGIN')
      await tx.query('COMMIT')
      await expect(fresh.pgq.enqueue(which, { n: 1 }, { tx })).rejects.toThrow(coded('TRANSACTION_CLOSED'))
      await expect(fresh.pgq.enqueueMany(which, [{ n: 1 }], { tx })).rejects.toThrow(
        coded('TRANSACTION_CLOSED'),
      )
    })
    expect(await jobs(fresh)).toBe(0)
  },
)

test('a BEGIN that nobody awaited is a beginning', async () => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    const begun = tx.query('BEGIN')
    await fresh.pgq.enqueue(queue, { n: 1 }, { tx })
    await begun
    await tx.query('ROLLBACK')
  })
  expect(await jobs(fresh)).toBe(0)
})

test.each([queue, slowly])('what commits by itself may say so, and takes jobs of $name', async (which) => {
  const fresh = await freshQueue()
  const tx: Queryable = { query: (text, values) => fresh.pool.query(text, values), autocommit: true }
  const inTransaction: boolean[] = []
  fresh.pgq.events.on('job.enqueued', (event) => void inTransaction.push(event.inTransaction))
  await fresh.pgq.enqueue(which, { n: 1 }, { tx })
  await fresh.pgq.enqueueMany(
    which,
    Array.from({ length: 6_000 }, (_, n) => ({ n })),
    { tx },
  )
  expect(await jobs(fresh)).toBe(6_001)
  expect(inTransaction).toEqual([false, false])
})

test('many jobs through what commits by itself are all there or none', async () => {
  const fresh = await freshQueue()
  const tx: Queryable = { query: (text, values) => fresh.pool.query(text, values), autocommit: true }
  await fresh.sql(
    `ALTER TABLE ${fresh.schema}.jobs_waiting ADD CHECK (payload ->> 'n' IS DISTINCT FROM '5999')`,
  )
  const payloads = Array.from({ length: 6_000 }, (_, n) => ({ n }))
  await expect(fresh.pgq.enqueueMany(queue, payloads, { tx })).rejects.toThrow(coded('DATABASE_REJECTED'))
  expect(await jobs(fresh)).toBe(0)
})

test('a transaction of pgq takes the queries of libraries that are built on pg', async () => {
  const { pgq } = await freshQueue()
  await pgq.transaction(async (tx) => {
    const { rows, fields } = await tx.query({ text: 'SELECT $1::int AS n', rowMode: 'array' }, [7])
    expect({ rows, names: fields.map(({ name }) => name) }).toEqual({ rows: [[7]], names: ['n'] })
    await expect(tx.query({ text: 'COMMIT' })).rejects.toThrow(coded('INVALID_OPTION'))
  })
})

test('a read-only transaction is refused as what it is', async () => {
  const fresh = await freshQueue()
  await onClient(fresh, async (tx) => {
    await tx.query('BEGIN READ ONLY')
    await expect(fresh.pgq.enqueue(queue, { n: 1 }, { tx })).rejects.toThrow(
      expect.objectContaining({ code: 'DATABASE_REJECTED', message: expect.stringContaining('read-only') }),
    )
  })
})
