import { defineQueue, type Queryable } from '@pgq/core'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgSchema, text } from 'drizzle-orm/pg-core'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import pg from 'pg'
import postgres from 'postgres'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromDrizzle } from '../src/index.ts'
import { DRIVERS, startDrivers } from './support/drivers.ts'
import { texts } from './support/error-texts.ts'
import { freshQueue } from './support/fresh-queue.ts'

// What every driver must do stands in contract.test.ts; here is what is Drizzle's own.

const mail = defineQueue('mail')
const CLOSED = expect.objectContaining({ name: 'PgqError', code: 'TRANSACTION_CLOSED' })

startDrivers()

describe.each(DRIVERS)('fromDrizzle on %s', (driver) => {
  it('commits the job with the row', async () => {
    const { db, pgq, schema, payloads } = await freshQueue(driver)
    const payments = pgSchema(schema).table('payments', {
      id: text('id').primaryKey(),
      amount: integer('amount').notNull(),
    })
    await db.transaction(async (tx) => {
      await tx.insert(payments).values({ id: 'p_1', amount: 100 })
      await pgq.enqueue(mail, { paymentId: 'p_1' }, { tx: fromDrizzle(tx) })
    })
    expect(await payloads()).toEqual([{ paymentId: 'p_1' }])
    expect(await db.select().from(payments)).toEqual([{ id: 'p_1', amount: 100 }])
  })

  it('is in order before the commit when nobody awaits it', async () => {
    const { db, pgq, payloads } = await freshQueue(driver)
    let floating: Promise<unknown> | undefined
    await db.transaction(async (tx) => {
      floating = pgq.enqueue(mail, 'floating', { tx: fromDrizzle(tx) })
    })
    await floating
    expect(await payloads()).toEqual(['floating'])
  })
})

describe('a transaction that has ended', () => {
  it.each(['node-postgres', 'pglite'] as const)(
    'is refused on %s, made before or after its end',
    async (driver) => {
      const { db, pgq, payloads } = await freshQueue(driver)
      let ended: { tx: Parameters<typeof fromDrizzle>[0]; queryable: Queryable } | undefined
      await db.transaction(async (tx) => void (ended = { tx, queryable: fromDrizzle(tx) }))
      if (!ended) throw new Error('it did not run')
      await expect(pgq.enqueue(mail, 1, { tx: ended.queryable })).rejects.toThrow(CLOSED)
      await expect(pgq.enqueue(mail, 1, { tx: fromDrizzle(ended.tx) })).rejects.toThrow(CLOSED)
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
      await pgq.enqueue(mail, 'mine', { tx: fromDrizzle(tx) })
      await expect(pgq.enqueue(mail, 'late', { tx: ended as Queryable })).rejects.toThrow(CLOSED)
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
      await pgq.enqueue(mail, 'in time', { tx: ended })
    })
    await expect(pgq.enqueue(mail, 'late', { tx: ended as Queryable })).rejects.toThrow(CLOSED)
    expect(await payloads()).toEqual(['in time'])
  })
})

describe.each(DRIVERS)('errors on %s', (driver) => {
  it('say what the database said, and never the payload', async () => {
    const { db, pgq, schema, sql } = await freshQueue(driver)
    await sql(`ALTER TABLE ${schema}.jobs ADD CONSTRAINT modest CHECK (priority < 9)`)
    const refused: unknown = await db
      .transaction((tx) => pgq.enqueue(mail, { secret: 'hunter2' }, { tx: fromDrizzle(tx), priority: 9 }))
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'PgqError', code: 'DATABASE_REJECTED', sqlState: '23514' })
    const { message, cause } = refused as Error
    expect(message).toContain('modest')
    expect(`${message} ${String(cause)}`).not.toContain('hunter2')
  })

  it('say that a statement has failed before, and never the payload', async () => {
    const { db, pgq } = await freshQueue(driver)
    let told: unknown
    const failing = db.transaction(async (tx) => {
      await tx.execute('SELECT 1 / 0').catch(() => {})
      const enqueue = pgq.enqueue(mail, { secret: 'hunter2' }, { tx: fromDrizzle(tx) })
      await enqueue.catch((error: unknown) => (told = error))
      await enqueue
    })
    const thrown: unknown = await failing.catch((error: unknown) => error)
    expect(told).toMatchObject({ code: '25P02' })
    for (const error of [told, thrown]) expect(texts(error)).not.toContain('hunter2')
  })

  it('name the schema that is missing', async () => {
    const { db, pgq, schema, sql } = await freshQueue(driver)
    await sql(`DROP SCHEMA ${schema} CASCADE`)
    const missing = db.transaction((tx) => pgq.enqueue(mail, 1, { tx: fromDrizzle(tx) }))
    await expect(missing).rejects.toMatchObject({ code: 'SCHEMA_MISSING' })
  })
})

it('a conflict stays the error of Drizzle, as retry logic around transactions knows it', async () => {
  const { db, pgq, schema, sql } = await freshQueue('node-postgres')
  await sql(`CREATE FUNCTION ${schema}.conflict() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'try again' USING ERRCODE = '40001'; END $$`)
  await sql(
    `CREATE TRIGGER conflict BEFORE INSERT ON ${schema}.jobs_waiting EXECUTE FUNCTION ${schema}.conflict()`,
  )
  const conflict = db.transaction((tx) => pgq.enqueue(mail, 1, { tx: fromDrizzle(tx) }))
  await expect(conflict).rejects.toMatchObject({ query: expect.any(String), cause: { code: '40001' } })
})

it.each([postgres.camel, postgres.pascal, postgres.kebab])(
  'a postgres.js that renames columns does no harm: %#',
  async (transform) => {
    const { pgq, databaseUrl } = await freshQueue('postgres-js')
    const client = postgres(databaseUrl, { transform, max: 2, onnotice: () => {} })
    onTestFinished(() => client.end())
    const db = drizzlePostgresJs({ client })
    const enqueue = () =>
      db.transaction((tx) => pgq.enqueue(mail, 1, { tx: fromDrizzle(tx), uniqueKey: 'k' }))
    const { id } = await enqueue()
    expect(await enqueue()).toEqual({ id, deduplicated: true })
  },
)

it.each(DRIVERS)('a query that is being built on %s is no transaction', async (driver) => {
  const { db, pgq, schema, payloads } = await freshQueue(driver)
  const payments = pgSchema(schema).table('payments', { id: text('id') })
  const select = db.select().from(payments)
  for (const query of [select, select.prepare('one'), db.insert(payments).values({ id: 'p' })]) {
    expect(() => fromDrizzle(query as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  }
  const enqueue = () => pgq.enqueue(mail, 1, { tx: fromDrizzle(select as never) })
  expect(enqueue).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  expect(await payloads()).toEqual([])
})

it.each([
  ['a pool', { query: () => {}, totalCount: 0 }],
  ['nothing', undefined],
  ['a Drizzle of another database', { run: () => {}, all: () => {} }],
])('says what it needs instead of %s', (_what, given) => {
  expect(() => fromDrizzle(given as never)).toThrow(
    expect.objectContaining({
      name: 'PgqError',
      code: 'INVALID_OPTION',
      message: expect.stringContaining('db.transaction'),
    }),
  )
})
