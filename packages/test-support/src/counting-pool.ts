import pg from 'pg'
import { cleanUpAfterwards } from './clean-up.ts'

/** A pool that counts what it is asked. */
export function countingPool(connectionString: string): { pool: pg.Pool; asked: () => number } {
  const pool = new pg.Pool({ connectionString })
  pool.on('error', () => {})
  let asked = 0
  const query = pool.query.bind(pool) as (...args: unknown[]) => unknown
  pool.query = ((...args: unknown[]) => {
    asked++
    return query(...args)
  }) as typeof pool.query
  cleanUpAfterwards(() => pool.end())
  return { pool, asked: () => asked }
}
