import { acquireDatabase } from '@pgq/embedded-postgres'
import type { TestProject } from 'vitest/node'
import { startPgBouncer } from './pgbouncer.ts'

declare module 'vitest' {
  /** What the global set-up hands to every test, by `inject('databaseUrl')`. */
  interface ProvidedContext {
    databaseUrl: string
    /** The same server without a pooler in between: for what tests themselves do in a session. */
    directUrl: string
  }
}

/**
 * One PostgreSQL for the whole run: the server that `DATABASE_URL` names, or an embedded one. With `PGQ_POOLER=pgbouncer`
 * tests reach it through a PgBouncer in transaction mode.
 */
export default async function provideDatabase(project: TestProject): Promise<() => Promise<void>> {
  const database = await acquireDatabase()
  project.provide('directUrl', database.url)
  if (process.env['PGQ_POOLER'] !== 'pgbouncer') {
    project.provide('databaseUrl', database.url)
    return () => database.stop()
  }
  const pooler = await startPgBouncer(database.url)
  project.provide('databaseUrl', pooler.url)
  return async () => {
    await pooler.stop()
    await database.stop()
  }
}
