import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, inject, onTestFinished } from 'vitest'
import { createPgq, type Pgq, type PgqOptions } from '../../src/index.ts'

/** A migrated queue on a schema of its own. */
export interface FreshQueue {
  readonly pgq: Pgq
  /** A plain lower-case name, which needs no quotes, unless the options gave another. */
  readonly schema: string
  /** Connections of the test, which `pgq` does not use. */
  readonly pool: pg.Pool
  readonly databaseUrl: string
  /** Runs a statement on the test's own connections. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows the rows that it asks for
  readonly sql: <Row extends pg.QueryResultRow = any>(text: string, values?: unknown[]) => Promise<Row[]>
}

/** What files made outside of their tests, in `beforeAll` say. */
const leftovers: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const clean of leftovers.splice(0)) await clean()
})

/**
 * Makes a queue on a fresh schema and migrates it. In a test it goes with that test, elsewhere with the file: workers
 * are stopped, connections closed, and the schema is dropped.
 */
export async function freshQueue(options: Partial<PgqOptions> = {}): Promise<FreshQueue> {
  const fresh = unmigratedQueue(options)
  await fresh.pgq.migrate()
  return fresh
}

/** The same without the migration: the schema does not exist yet. */
export function unmigratedQueue(options: Partial<PgqOptions> = {}): FreshQueue {
  const databaseUrl = inject('databaseUrl')
  const schema = options.schema ?? freshName()
  const given = options.pool ?? options.connection ?? options.connectionString
  const pgq = createPgq({
    ...(given === undefined && { connectionString: databaseUrl }),
    ...options,
    schema,
  })
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 5 })
  pool.on('error', () => {}) // a test that ends every connection of the server ends these too
  cleanUpAfterwards(async () => {
    await pgq.close()
    await dropSchema(pool, schema)
    await pool.end()
  })
  return {
    pgq,
    schema,
    pool,
    databaseUrl,
    sql: async (text, values) => (await pool.query(text, values)).rows,
  }
}

/** A schema name that no other test has. */
export function freshName(): string {
  return `t_${randomBytes(6).toString('hex')}`
}

/** Runs `clean` when the test ends, or when the file does if no test is running. */
export function cleanUpAfterwards(clean: () => Promise<void>): void {
  try {
    onTestFinished(clean)
  } catch {
    leftovers.unshift(clean)
  }
}

async function dropSchema(pool: pg.Pool, schema: string): Promise<void> {
  const client = await pool.connect()
  try {
    // A transaction that a test left open must fail the test, not hang it.
    await client.query(`SET lock_timeout = '5s'`)
    await client.query(`SET client_min_messages = warning`)
    await client.query(`DROP SCHEMA IF EXISTS ${pg.escapeIdentifier(schema)} CASCADE`)
  } finally {
    client.release(true)
  }
}
