import { createPgq, type Pgq, type PgqOptions } from '@pgq/core'
import { dropSchema, freshName, migrateSchema } from '@pgq/test-support'
import pg from 'pg'
import { inject, onTestFinished } from 'vitest'

/** A schema of its own for a test, and a look into it that does not go through the application. */
export interface FreshSchema {
  /** For `PgqModule.forRoot`. */
  readonly options: PgqOptions & { readonly logger: false }
  readonly schema: string
  readonly databaseUrl: string
  /** A queue of the test's own on the same schema. */
  readonly pgq: Pgq
  /** Connections of the test's own. */
  readonly pool: pg.Pool
}

/** Makes a migrated schema, which is dropped when the test ends. */
export async function freshSchema(): Promise<FreshSchema> {
  const fresh = unmigratedSchema()
  await migrateSchema(createPgq, fresh.schema)
  return fresh
}

/** The same without the migration: the schema does not exist yet. */
export function unmigratedSchema(): FreshSchema {
  const databaseUrl = inject('databaseUrl')
  const schema = freshName()
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 3 })
  const pgq = createPgq({ pool, schema })
  onTestFinished(async () => {
    await pgq.close()
    await pool.end()
    await dropSchema(schema)
  })
  return {
    options: { connectionString: databaseUrl, schema, logger: false },
    schema,
    databaseUrl,
    pgq,
    pool,
  }
}
