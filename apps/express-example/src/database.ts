import { startPostgres } from '@pgq/embedded-postgres'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import pg from 'pg'

/** The application's database: one pool, which its queries, its transactions and its enqueues share. */
export interface Database {
  readonly pool: pg.Pool
  readonly db: NodePgDatabase
  /** Closes the connections, and ends the server if it is one of ours. */
  end(): Promise<void>
}

/** Connects to a server, or starts one that is gone with this process. */
export async function openDatabase(url: string | undefined): Promise<Database> {
  const own = url === undefined ? await startPostgres() : undefined
  const pool = new pg.Pool({ connectionString: url ?? own?.url, application_name: 'express-example' })
  // A connection that breaks while nobody uses it is replaced by the pool; unheard, its error would end the process.
  pool.on('error', (error) => console.error('an idle connection broke:', error.message))
  return {
    pool,
    db: drizzle({ client: pool }),
    end: async () => {
      await pool.end()
      await own?.stop()
    },
  }
}
