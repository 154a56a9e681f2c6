import { createPgq, defineQueue, type Pgq } from '@pgq/core'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { integer, pgSchema, text, withReplicas } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromDrizzle, transaction } from '../src/index.ts'
import { breakingProxy } from './support/breaking-proxy.ts'
import { startDrivers } from './support/drivers.ts'
import { freshQueue } from './support/fresh-queue.ts'

const mail = defineQueue('mail')
const POOL_SIZE = 3

startDrivers()

describe('a pool whose connections break', () => {
  it('is whole again after as many failed BEGINs as it has connections', async () => {
    const { pool, pgq, db, proxy, payloads } = await behindProxy()
    proxy.breakAt('begin')
    for (let n = 0; n < POOL_SIZE; n++) {
      const broken = transaction(pgq, db, async () => expect.unreachable())
      await expect(broken).rejects.toMatchObject({
        name: 'PgqError',
        code: 'DATABASE_UNAVAILABLE',
        message: expect.stringContaining('cannot BEGIN'),
      })
    }
    expect(proxy.broken()).toBe(POOL_SIZE)
    proxy.breakAt(undefined)
    expect(pool.totalCount).toBe(0)
    await transaction(pgq, db, (_tx, jobs) => jobs.enqueue(mail, 'after'))
    await pgq.enqueue(mail, 'without Drizzle')
    expect(await payloads()).toEqual(['after', 'without Drizzle'])
    await pool.end() // which waits for every connection that is out
  })

  it('gets a connection back whose BEGIN the server has refused', async () => {
    const { pool, pgq, db } = await behindProxy()
    for (let n = 0; n < POOL_SIZE + 1; n++) {
      const refused = transaction(pgq, db, async () => expect.unreachable(), {
        isolationLevel: 'best' as 'serializable',
      })
      await expect(refused).rejects.toMatchObject({ cause: { code: '42601' } })
    }
    await transaction(pgq, db, (_tx, jobs) => jobs.enqueue(mail, 1))
    expect(pool.totalCount).toBe(pool.idleCount)
  })

  it('keeps its connection through commits and rollbacks', async () => {
    const { pgq, db, pool } = await behindProxy()
    const pids: unknown[] = []
    const pid = async (tx: { execute: NodePgDatabase['execute'] }) =>
      void pids.push((await tx.execute<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid)
    await transaction(pgq, db, pid)
    const no = transaction(pgq, db, async (tx) => {
      await pid(tx)
      throw new Error('no')
    })
    await expect(no).rejects.toThrow('no')
    const failed = transaction(pgq, db, async (tx) => {
      await pid(tx)
      await tx.execute('SELECT 1 / 0')
    })
    await expect(failed).rejects.toMatchObject({ cause: { code: '22012' } })
    await transaction(pgq, db, pid)
    expect(new Set(pids).size).toBe(1)
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
  })

  it('does not lend a connection again that is in a transaction still', async () => {
    const { pgq, db, sql, schema } = await behindProxy({ query_timeout: 500 })
    const payments = paymentsIn(schema)
    await sql(`INSERT INTO ${schema}.payments VALUES ('locked', 1)`)
    const locked = transaction(pgq, db, async (tx) => {
      await tx.insert(payments).values({ id: 'left over', amount: 1 })
      await tx.execute('SELECT pg_sleep(2)') // the client gives up on it, and on the ROLLBACK behind it
    })
    await expect(locked).rejects.toMatchObject({ cause: { message: 'Query read timeout' } })
    await transaction(pgq, db, (tx) => tx.insert(payments).values({ id: 'next', amount: 1 }))
    expect(await sql(`SELECT id FROM ${schema}.payments ORDER BY id`)).toEqual([
      { id: 'locked' },
      { id: 'next' },
    ])
  })

  it('does not lend a connection again whose BEGIN is on its way still', async () => {
    const { pgq, db, pool, sql, schema, proxy } = await behindProxy({ max: 1, query_timeout: 200 })
    proxy.delayAt('begin', 1_000)
    const late = transaction(pgq, db, async () => expect.unreachable())
    await expect(late).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    const patient: pg.QueryConfig & { query_timeout: number } = {
      text: `INSERT INTO ${schema}.payments VALUES ('next', 1)`,
      query_timeout: 5_000,
    }
    await pool.query(patient)
    expect(await sql(`SELECT id FROM ${schema}.payments`)).toEqual([{ id: 'next' }])
  })

  it('is taken care of behind withReplicas, and with an own pool of one connection', async () => {
    const { pgq, db, proxy, payloads } = await behindProxy({ max: 1 })
    const replicated = withReplicas(db, [db])
    proxy.breakAt('begin')
    await expect(transaction(pgq, replicated, async () => expect.unreachable())).rejects.toThrow('BEGIN')
    proxy.breakAt(undefined)
    await transaction(pgq, replicated, (_tx, jobs) => jobs.enqueue(mail, 1))
    expect(await payloads()).toEqual([1])
  })

  it('is one of a db with a transaction of its own, which is called', async () => {
    const { pgq, db, payloads } = await behindProxy()
    let calls = 0
    const own = Object.assign(Object.create(db) as typeof db, {
      transaction: (...args: Parameters<typeof db.transaction>) => (calls++, db.transaction(...args)),
    })
    await transaction(pgq, own, (_tx, jobs) => jobs.enqueue(mail, 1))
    expect([calls, await payloads()]).toEqual([1, [1]])
  })
})

describe('the error of a transaction', () => {
  it.each([
    ['of the work', () => new Error('mine')],
    ['of pgq', () => Object.assign(new Error('refused'), { name: 'PgqError', code: 'INVALID_PAYLOAD' })],
  ])('is the one %s, when the connection breaks before the ROLLBACK', async (_what, make) => {
    const { pgq, db, pool, proxy, payloads } = await behindProxy()
    const error = make()
    const failing = transaction(pgq, db, async (_tx, jobs) => {
      await jobs.enqueue(mail, 1)
      proxy.breakAt('rollback')
      throw error
    })
    await expect(failing).rejects.toBe(error)
    expect(proxy.broken()).toBe(1)
    expect(pool.totalCount).toBe(0)
    expect(await payloads()).toEqual([])
  })

  it('is that of the nested one, when the connection breaks before its ROLLBACK', async () => {
    const { pgq, db, proxy } = await behindProxy()
    const failing = transaction(pgq, db, (tx) =>
      transaction(pgq, tx, async (_nested, jobs) => {
        await jobs.enqueue(mail, 1)
        proxy.breakAt('rollback')
        throw new Error('mine')
      }),
    )
    await expect(failing).rejects.toThrow('mine')
  })

  it('says that the database went away, when the server ends the connection', async () => {
    const { pgq, db, sql, payloads } = await behindProxy()
    const failing = transaction(pgq, db, async (tx, jobs) => {
      const { rows } = await tx.execute<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await sql(`SELECT pg_terminate_backend(${rows[0]?.pid}, 5000)`)
      await jobs.enqueue(mail, 1)
    })
    await expect(failing).rejects.toMatchObject({ name: 'PgqError', code: 'DATABASE_UNAVAILABLE' })
    expect(await payloads()).toEqual([])
  })

  it('says that nobody knows, when the connection breaks at COMMIT', async () => {
    const { pgq, db, proxy } = await behindProxy()
    const failing = transaction(pgq, db, async (_tx, jobs) => {
      await jobs.enqueue(mail, 1)
      proxy.breakAt('commit')
    })
    await expect(failing).rejects.toMatchObject({
      name: 'PgqError',
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringContaining('not known'),
    })
  })

  it('says that no connection was to be had', async () => {
    const { pgq, db, pool } = await behindProxy({ max: 1, connectionTimeoutMillis: 100 })
    const only = await pool.connect()
    await expect(transaction(pgq, db, async () => expect.unreachable())).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringContaining('timeout'),
    })
    only.release()
  })

  it('is no end of the process when a connection breaks that nobody of pgq listens to', async () => {
    const { pgq: apart, sql, databaseUrl } = await freshQueue('node-postgres')
    const pool = new pg.Pool({ connectionString: databaseUrl })
    pool.on('error', () => {})
    onTestFinished(() => pool.end())
    const db = drizzle({ client: pool })
    const failing = transaction(apart, db, async (tx) => {
      const { rows } = await tx.execute<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      // Nothing is under way that could be told.
      const { client } = (tx as unknown as { _: { session: { client: pg.PoolClient } } })._.session
      const ended = new Promise((resolve) => void client.once('end', resolve as () => void))
      await sql(`SELECT pg_terminate_backend(${rows[0]?.pid})`)
      await ended
      await apart.enqueue(mail, 1, { tx: fromDrizzle(tx) })
    })
    await expect(failing).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  })
})

/** Drizzle and pgq on one small pool, behind a proxy. */
async function behindProxy(config: pg.PoolConfig = {}) {
  const { databaseUrl, schema, payloads, sql } = await freshQueue('node-postgres')
  const proxy = await breakingProxy(databaseUrl)
  const pool = new pg.Pool({
    connectionString: proxy.url,
    max: POOL_SIZE,
    connectionTimeoutMillis: 2_000,
    ...config,
  })
  pool.on('error', () => {}) // of idle connections, as the manual of pg asks for
  onTestFinished(() => (pool.ended ? undefined : pool.end()))
  const pgq: Pgq = createPgq({ pool, schema })
  onTestFinished(() => pgq.close())
  return { databaseUrl, schema, payloads, sql, proxy, pool, pgq, db: drizzle({ client: pool }) }
}

const paymentsIn = (schema: string) =>
  pgSchema(schema).table('payments', { id: text('id').primaryKey(), amount: integer('amount').notNull() })
