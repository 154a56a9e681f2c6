import { randomBytes } from 'node:crypto'
import { createPgq, type Pgq, type PgqOptions } from '@pgq/core'
import { dropSchema, migrateSchema } from '@pgq/test-support'
import { inject, onTestFinished } from 'vitest'
import { type Driver, openDrizzle, type OpenDatabase } from './drivers.ts'

/** A migrated queue on a schema of its own, in the database that Drizzle is connected to. */
export interface FreshQueue extends OpenDatabase {
  readonly pgq: Pgq
  readonly schema: string
  readonly databaseUrl: string
  /** The payloads of all jobs there are, by age. */
  readonly payloads: () => Promise<unknown[]>
}

/**
 * Makes a queue for one test; connections are closed and the schema is dropped after it. A name given for the schema is
 * only how it begins: several versions of Drizzle are tested at the same time.
 */
export async function freshQueue(driver: Driver, options: Partial<PgqOptions> = {}): Promise<FreshQueue> {
  const databaseUrl = inject('databaseUrl')
  const schema = `${options.schema ?? 'drizzle'}_${randomBytes(6).toString('hex')}`
  const open = await openDrizzle(driver, databaseUrl)
  const pgq = createPgq({ connectionString: databaseUrl, ...options, schema })
  const quoted = `"${schema.replaceAll('"', '""')}"`
  onTestFinished(async () => {
    await pgq.close()
    if (driver === 'pglite') await open.sql(`DROP SCHEMA IF EXISTS ${quoted} CASCADE`)
    await open.close()
    if (driver !== 'pglite') await dropSchema(schema)
  })
  if (driver === 'pglite') await open.sql(pgq.migrationSql())
  else await migrateSchema(createPgq, schema)
  await open.sql(`CREATE TABLE ${quoted}.payments (id text PRIMARY KEY, amount integer NOT NULL)`)
  const payloads = async () =>
    (await open.sql<{ payload: unknown }>(`SELECT payload FROM ${quoted}.jobs ORDER BY id`)).map(
      (row) => row.payload,
    )
  return { ...open, pgq, schema, databaseUrl, payloads }
}
