import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject, onTestFinished } from 'vitest'

/** An empty database on the server of the tests. */
export interface FreshDatabase {
  readonly url: string
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows the rows that it asks for
  readonly sql: <Row extends pg.QueryResultRow = any>(text: string, values?: unknown[]) => Promise<Row[]>
}

/** Makes a database, which goes with the test. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const name = `example_${randomBytes(6).toString('hex')}`
  const url = new URL(inject('databaseUrl'))
  const server = new pg.Client({ connectionString: url.href })
  await server.connect()
  await server.query(`CREATE DATABASE ${name}`)
  url.pathname = name
  const pool = new pg.Pool({ connectionString: url.href, max: 3 })
  pool.on('error', () => {}) // it is dropped below while connections are open
  onTestFinished(async () => {
    await pool.end()
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await server.end()
  })
  return { url: url.href, sql: async (text, values) => (await pool.query(text, values)).rows }
}
