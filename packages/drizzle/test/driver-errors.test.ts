import { defineQueue } from '@pgq/core'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromDrizzle } from '../src/index.ts'
import { DRIVERS } from './support/drivers.ts'
import { freshQueue } from './support/fresh-queue.ts'

const queue = defineQueue('mail')

describe.each(DRIVERS)('errors on %s', (driver) => {
  it('say what the database said, and never the payload', async () => {
    const { db, pgq, schema, sql } = await freshQueue(driver)
    await sql(`ALTER TABLE ${schema}.jobs ADD CONSTRAINT modest CHECK (priority < 9)`)
    const refused: unknown = await db
      .transaction((tx) => pgq.enqueue(queue, { secret: 'hunter2' }, { tx: fromDrizzle(tx), priority: 9 }))
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'PgqError', code: 'DATABASE_REJECTED', sqlState: '23514' })
    const { message, cause } = refused as Error
    expect(message).toContain('modest')
    expect(`${message} ${String(cause)}`).not.toContain('hunter2')
  })

  it('name the schema that is missing', async () => {
    const { db, pgq, schema, sql } = await freshQueue(driver)
    await sql(`DROP SCHEMA ${schema} CASCADE`)
    const missing = db.transaction((tx) => pgq.enqueue(queue, 1, { tx: fromDrizzle(tx) }))
    await expect(missing).rejects.toMatchObject({ code: 'SCHEMA_MISSING' })
  })
})

it('a conflict stays the error of Drizzle, as retry logic around transactions knows it', async () => {
  const { db, pgq, schema, sql } = await freshQueue('node-postgres')
  await sql(`CREATE FUNCTION ${schema}.conflict() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'try again' USING ERRCODE = '40001'; END $$`)
  await sql(
    `CREATE TRIGGER conflict BEFORE INSERT ON ${schema}.jobs_live EXECUTE FUNCTION ${schema}.conflict()`,
  )
  const conflict = db.transaction((tx) => pgq.enqueue(queue, 1, { tx: fromDrizzle(tx) }))
  await expect(conflict).rejects.toMatchObject({ query: expect.any(String), cause: { code: '40001' } })
})

it.each([postgres.camel, postgres.pascal, postgres.kebab])(
  'a postgres.js that renames columns does no harm: %#',
  async (transform) => {
    const { pgq, databaseUrl } = await freshQueue('postgres-js')
    const client = postgres(databaseUrl, { transform, max: 2, onnotice: () => {} })
    onTestFinished(() => client.end())
    const db = drizzle({ client })
    const enqueue = () =>
      db.transaction((tx) => pgq.enqueue(queue, 1, { tx: fromDrizzle(tx), uniqueKey: 'k' }))
    const { id } = await enqueue()
    expect(await enqueue()).toEqual({ id, deduplicated: true })
  },
)

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
