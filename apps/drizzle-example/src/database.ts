import { startPostgres } from '@pgq/embedded-postgres'

/** The server that the example runs on. */
export interface Database {
  readonly url: string
  stop(): Promise<void>
}

/** The one that `DATABASE_URL` names, or one of its own, which is gone afterwards. */
export async function openDatabase(): Promise<Database> {
  const url = process.env['DATABASE_URL']
  return url ? { url, stop: async () => {} } : startPostgres()
}
