import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

/** A schema name that no other test has: a plain lower-case one, which needs no quotes. */
export function freshName(): string {
  return `t_${randomBytes(6).toString('hex')}`
}

/**
 * The connection that makes and drops schemas, one for all tests of a process: it has learned the catalog, which takes a new one several
 * times as long as the work itself. It keeps no process alive.
 */
export function schemaKeeper(): pg.Pool {
  keeper ??= openKeeper()
  return keeper
}

let keeper: pg.Pool | undefined

function openKeeper(): pg.Pool {
  const pool = new pg.Pool({
    connectionString: inject('directUrl'),
    max: 1,
    idleTimeoutMillis: 0,
    allowExitOnIdle: true,
  })
  pool.on('error', () => {}) // a test that ends every connection of the server ends this too
  return pool
}

/** Drops what a test has made. */
export async function dropSchema(schema: string): Promise<void> {
  // A transaction that a test left open must fail the test, not hang it.
  await schemaKeeper().query(`SET lock_timeout = '5s';
    SET client_min_messages = warning;
    DROP SCHEMA IF EXISTS ${pg.escapeIdentifier(schema)} CASCADE;
    RESET lock_timeout`)
}
