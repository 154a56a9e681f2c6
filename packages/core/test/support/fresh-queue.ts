import { cleanUpAfterwards, dropSchema, freshName } from '@pgq/test-support'
import pg from 'pg'
import { inject } from 'vitest'
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
  const pool = new pg.Pool({ connectionString: inject('directUrl'), max: 5 })
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
