import { type ConnectionConfig, createPgq, type Pgq } from '@pgq/core'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import pg from 'pg'

/** What the application works with. */
export interface Shop {
  readonly db: NodePgDatabase
  readonly pgq: Pgq
  close(): Promise<void>
}

/** Connects to a database: Drizzle and the queue share a pool. */
export function openShop(connection: ConnectionConfig): Shop {
  const pool = new pg.Pool(connection)
  const pgq = createPgq({ pool })
  return {
    db: drizzle({ client: pool }),
    pgq,
    close: async () => {
      await pgq.close()
      await pool.end()
    },
  }
}
