import type { Database } from '../store/database.ts'
import { openPool } from '../store/pg-connection.ts'
import { PgDatabase } from '../store/pg-database.ts'
import type { PgqSettings } from './pgq-options.ts'

/** How many connections the pool has that is opened for a connection string. */
const POOL_SIZE = 10
/** Idle connections do not keep a process alive that has nothing else to do. */
const IDLE_IS_NO_REASON = { allowExitOnIdle: true }

/** The database that calls of a program go to: over the pool of the application, or over one that is opened with the first call. */
export function openDatabase({ pool, connection, schema }: PgqSettings): Database {
  return new PgDatabase({
    pool: pool ?? openPool(connection, connection.max ?? POOL_SIZE, IDLE_IS_NO_REASON),
    schema,
    ours: pool === undefined,
  })
}
