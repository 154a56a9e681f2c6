import { acquireDatabase } from '@pgq/embedded-postgres'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  /** What the global set-up hands to every test, by `inject('databaseUrl')`. */
  interface ProvidedContext {
    databaseUrl: string
  }
}

/** One PostgreSQL for the whole run: the server that `DATABASE_URL` names, or an embedded one. */
export default async function provideDatabase(project: TestProject): Promise<() => Promise<void>> {
  const database = await acquireDatabase()
  project.provide('databaseUrl', database.url)
  return () => database.stop()
}
