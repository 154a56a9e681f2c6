import pg from 'pg'
import { expect, test } from 'vitest'
import { createPgq, handle } from '../src/index.ts'
import { defineQueue } from '../src/job/queue.ts'
import { cleanUpAfterwards, freshName } from '@pgq/test-support'
import { freshQueue, unmigratedQueue } from './support/fresh-queue.ts'
import { connectAs, guestOf } from './support/guest.ts'
import { schemaText } from './support/schema-text.ts'
import { isPooled } from './support/pooled.ts'

const queue = defineQueue('mail')
const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })

test('a fresh database gets everything in one call, and the next call finds nothing to do', async () => {
  const fresh = unmigratedQueue()
  const first = await fresh.pgq.migrate()
  expect(first.applied.length).toBe(first.version)
  const before = await schemaText(fresh)
  expect(await fresh.pgq.migrate()).toEqual({ version: first.version, applied: [] })
  expect(await schemaText(fresh)).toBe(before)
  await expect(fresh.pgq.check()).resolves.toBeUndefined()
})

test('an existing schema is used when it is empty', async () => {
  const { pgq, sql, schema } = unmigratedQueue()
  await sql(`CREATE SCHEMA ${schema}`)
  expect((await pgq.migrate()).applied).not.toEqual([])
  await pgq.check()
})

test('a schema that was dropped is made anew', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`DROP SCHEMA ${schema} CASCADE`)
  expect((await pgq.migrate()).applied).not.toEqual([])
  await pgq.check()
})

test.each([
  ['a table', 'CREATE TABLE %.queue (id int)'],
  ['only a function', `CREATE FUNCTION %.next_batch() RETURNS int LANGUAGE sql AS 'SELECT 1'`],
  ['only a view', 'CREATE VIEW %.queues AS SELECT 1 AS one'],
  ['only a sequence', 'CREATE SEQUENCE %.ids'],
  ['only a type', `CREATE TYPE %.mood AS ENUM ('good', 'bad')`],
  ['a ledger of another tool', 'CREATE TABLE %.migrations (id int, checksum text)'],
  ['a ledger of another tool without checksums', 'CREATE TABLE %.migrations (version text)'],
])('a schema that holds %s is somebody else’s, and stays as it is', async (_what, ddl) => {
  const { pgq, sql, schema } = unmigratedQueue()
  await sql(`CREATE SCHEMA ${schema}`)
  await sql(ddl.replace('%', schema))
  const objects = `SELECT relname FROM pg_class WHERE relnamespace = '${schema}'::regnamespace ORDER BY 1`
  const before = await sql(objects)
  await expect(pgq.migrate()).rejects.toThrow(coded('SCHEMA_OCCUPIED'))
  await expect(pgq.migrate()).rejects.toThrow(/createPgq\(\{ schema/)
  await expect(pgq.check()).rejects.toThrow(coded('SCHEMA_OCCUPIED'))
  expect(await sql(objects)).toEqual(before)
})

test('two queues live side by side in one database', async () => {
  const [one, other] = await Promise.all([freshQueue(), freshQueue()])
  await one.pgq.enqueue(queue, 1)
  expect(await one.pgq.counts()).toHaveLength(1)
  expect(await other.pgq.counts()).toHaveLength(0)
})

test('a process that finds the schema up to date needs no right to create anything', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const guest = await guestOf(fresh)
  expect((await guest.migrate()).applied).toEqual([])
  const { id } = await guest.enqueue(queue, 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'pending' })
  // On the next day there is one partition to make. That is the maintenance's business, not a reason to fail a start.
  await dropLastDay(sql, schema)
  expect((await guest.migrate()).applied).toEqual([])
})

test.skipIf(isPooled)('a role that may create nothing is refused with the reason', async () => {
  const { sql, databaseUrl } = await freshQueue()
  const role = freshName()
  await sql(`CREATE ROLE ${role} LOGIN`)
  cleanUpAfterwards(async () => void (await sql(`DROP ROLE ${role}`)))
  await expect(connectAs(databaseUrl, role, freshName()).migrate()).rejects.toThrow(
    expect.objectContaining({
      code: 'DATABASE_REJECTED',
      sqlState: '42501',
      message: expect.stringContaining('permission denied'),
    }),
  )
})

test('a long report or a dump that reads the jobs does not stop a process from starting', async () => {
  const { pgq, sql, schema, pool } = await freshQueue()
  await dropLastDay(sql, schema)
  const dump = await pool.connect()
  try {
    await dump.query('BEGIN')
    await dump.query(`SELECT count(*) FROM ${schema}.jobs`)
    await expect(pgq.migrate()).resolves.toMatchObject({ applied: [] })
  } finally {
    await dump.query('ROLLBACK')
    dump.release()
  }
})

test('what migrationSql shows is what a database needs: run by another tool, it gives the same schema', async () => {
  const shown = unmigratedQueue()
  await shown.sql(shown.pgq.migrationSql())
  await shown.pgq.check()
  await shown.pgq.migrate()
  expect(await schemaText(shown)).toBe(await schemaText(await freshQueue()))
})

test('every call says what to do while the schema is missing', async () => {
  const { pgq } = unmigratedQueue()
  const id = '01890000-0000-7000-8000-000000000000'
  const worker = pgq.createWorker([handle(queue, () => {})])
  const calls: [string, () => Promise<unknown>][] = [
    ['check', () => pgq.check()],
    ['enqueue', () => pgq.enqueue(queue, 1)],
    ['enqueueMany', () => pgq.enqueueMany(queue, [1, 2])],
    ['get', () => pgq.get(id)],
    ['list', () => pgq.list()],
    ['counts', () => pgq.counts()],
    ['cancel', () => pgq.cancel(id)],
    ['cancel by filter', () => pgq.cancel({ queue })],
    ['retry', () => pgq.retry(id)],
    ['redrive', () => pgq.redrive({})],
    ['delete', () => pgq.delete(id)],
    ['transaction', () => pgq.transaction((tx) => pgq.enqueue(queue, 1, { tx }))],
    ['worker.start', () => worker.start()],
  ]
  for (const [name, call] of calls) {
    const error: unknown = await call().catch((reason: unknown) => reason)
    expect(error, name).toMatchObject({
      code: 'SCHEMA_MISSING',
      message: expect.stringContaining('pgq.migrate()'),
    })
  }
})

test('a database that does not exist, and one that does not answer, are unavailable', async () => {
  const { databaseUrl } = unmigratedQueue()
  const nowhere = new URL(databaseUrl)
  nowhere.pathname = '/no_such_database'
  const closed = new URL(databaseUrl)
  closed.port = '1'
  for (const url of [nowhere, closed]) {
    const pgq = createPgq({ connectionString: url.href })
    cleanUpAfterwards(() => pgq.close())
    const worker = pgq.createWorker([handle(queue, () => {})])
    for (const call of [
      () => pgq.migrate(),
      () => pgq.enqueue(queue, 1),
      () => pgq.list(),
      () => worker.start(),
    ])
      await expect(call()).rejects.toThrow(coded('DATABASE_UNAVAILABLE'))
  }
})

/** Makes it look as if the schema had been migrated yesterday. */
async function dropLastDay(
  sql: (text: string) => Promise<{ name: string }[]>,
  schema: string,
): Promise<void> {
  const [last] = await sql(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = '${schema}'::regnamespace AND relkind = 'r' AND relname ~ '^jobs_completed_\\d{8}$'
     ORDER BY relname DESC LIMIT 1`,
  )
  await sql(`DROP TABLE ${schema}.${pg.escapeIdentifier(last?.name ?? '')}`)
}
