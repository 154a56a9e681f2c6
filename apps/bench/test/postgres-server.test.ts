import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, PostgresServer } from '../src/servers/postgres-server.ts'

let server: PostgresServer
let database: Database

beforeAll(async () => {
  server = await PostgresServer.start()
  database = await server.createDatabase()
})

afterAll(() => server.stop())

/** Runs statements on a connection of its own, and returns the rows of the last one. */
async function query(...texts: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    let rows: Record<string, unknown>[] = []
    for (const text of texts) ({ rows } = await client.query(text))
    return rows
  } finally {
    await client.end()
  }
}

test('the server says that its commits wait for the disk', () => {
  expect(server.settings).toMatchObject({ fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' })
})

test('the meter counts what others write and run, and only while it shall', async () => {
  await query('CREATE TABLE written (text text)')
  await database.countStatements(true)
  const read = await database.meter()
  const insert = `INSERT INTO written SELECT repeat('x', 1000) FROM generate_series(1, 100)`
  await query(insert, insert, 'SELECT 1')
  const { walBytes, statements } = await read()
  expect(statements).toBe(3)
  expect(walBytes).toBeGreaterThan(200_000)
  expect(walBytes).toBeLessThan(1_000_000)

  await database.countStatements(false)
  const readAgain = await database.meter()
  await query('SELECT 1')
  expect(await readAgain()).toMatchObject({ statements: undefined })
})

test('a snapshot that is held keeps vacuum from removing what is deleted meanwhile', async () => {
  await query('CREATE TABLE deleted AS SELECT n FROM generate_series(1, 1000) AS n')
  const release = await database.holdSnapshot()
  const vacuum = 'VACUUM (VERBOSE) deleted'
  await query('DELETE FROM deleted', vacuum)
  expect(await pagesOf('deleted')).toBeGreaterThan(0)
  await release()
  await query(vacuum)
  expect(await pagesOf('deleted')).toBe(0)
})

test('who waits for a lock is seen', async () => {
  await query('CREATE TABLE locked AS SELECT 1 AS n')
  const read = await database.watchLocks()
  const holder = new pg.Client({ connectionString: database.url })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query('UPDATE locked SET n = 2')
  const waiting = query('UPDATE locked SET n = 3')
  await expect
    .poll(() =>
      query(
        `SELECT count(*)::integer AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE locked%'`,
      ),
    )
    .toEqual([{ waiting: 1 }])
  const { waits, deadlocks } = await read()
  expect(waits).toBeGreaterThan(0)
  expect(deadlocks).toBe(0)
  await holder.query('COMMIT')
  await holder.end()
  await waiting
})

test('a database is gone once it is dropped', async () => {
  const other = await server.createDatabase()
  await other.drop()
  const client = new pg.Client({ connectionString: other.url })
  await expect(client.connect()).rejects.toThrow('does not exist')
})

/** Vacuum gives back the pages at the end of a table that nobody can see anything on. */
async function pagesOf(table: string): Promise<unknown> {
  const [row] = await query(`SELECT (pg_relation_size('${table}') / 8192)::integer AS pages`)
  return row?.['pages']
}
