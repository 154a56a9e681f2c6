import { startPostgres } from './launcher.ts'

/** A database to use, and the way to give it back. */
export interface AcquiredDatabase {
  readonly url: string
  stop(): Promise<void>
}

/** The server that `DATABASE_URL` names, which is left as it is, or an embedded one, which `stop()` ends. */
export async function acquireDatabase(): Promise<AcquiredDatabase> {
  const url = process.env['DATABASE_URL']
  if (url) return { url, stop: async () => {} }
  return startPostgres()
}
