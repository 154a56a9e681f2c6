import pg from 'pg'
import { inject } from 'vitest'
import { cleanUpAfterwards } from './clean-up.ts'
import { dropSchema, freshName, schemaKeeper } from './schema.ts'

/** What is used of pgq here: core's own tests need this package, so it imports nothing of core. */
interface Queue {
  migrate(): Promise<unknown>
  close(): Promise<void>
}

/** What is used of its options. */
interface QueueOptions {
  readonly schema?: string | undefined
  readonly pool?: unknown
  readonly connection?: unknown
  readonly connectionString?: string | undefined
}

/** A queue on a schema of its own. */
export interface FreshQueue<Pgq> {
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
export async function freshQueueWith<Options extends QueueOptions, Pgq extends Queue>(
  createPgq: (options: Options) => Pgq,
  options: Partial<Options> = {},
): Promise<FreshQueue<Pgq>> {
  const fresh = unmigratedQueueWith(createPgq, options)
  if (whereGiven(options) === undefined) await migrateSchema(createPgq, fresh.schema)
  else await fresh.pgq.migrate()
  return fresh
}

/** Migrates a schema on the connection that does nothing else. */
export async function migrateSchema(createPgq: (options: never) => Queue, schema: string): Promise<void> {
  const pgq = createPgq({ pool: schemaKeeper(), schema } as never)
  await pgq.migrate()
  await pgq.close()
}

const whereGiven = (options: Partial<QueueOptions>): unknown =>
  options.pool ?? options.connection ?? options.connectionString

/** The same without the migration: the schema does not exist yet. */
export function unmigratedQueueWith<Options extends QueueOptions, Pgq extends Queue>(
  createPgq: (options: Options) => Pgq,
  options: Partial<Options> = {},
): FreshQueue<Pgq> {
  const databaseUrl = inject('databaseUrl')
  const schema = options.schema ?? freshName()
  const where = {
    ...(whereGiven(options) === undefined && { connectionString: databaseUrl }),
    ...options,
    schema,
  }
  const pgq = createPgq(where as unknown as Options)
  const pool = new pg.Pool({ connectionString: inject('directUrl'), max: 5 })
  pool.on('error', () => {}) // a test that ends every connection of the server ends these too
  cleanUpAfterwards(async () => {
    await pgq.close()
    await pool.end()
    await dropSchema(schema)
  })
  return {
    pgq,
    schema,
    pool,
    databaseUrl,
    sql: async (text, values) => (await pool.query(text, values)).rows,
  }
}
