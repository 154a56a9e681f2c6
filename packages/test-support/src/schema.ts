import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** A schema name that no other test has: a plain lower-case one, which needs no quotes. */
export function freshName(): string {
  return `t_${randomBytes(6).toString('hex')}`
}

/** Drops what a test has made. */
export async function dropSchema(pool: pg.Pool, schema: string): Promise<void> {
  const client = await pool.connect()
  try {
    // A transaction that a test left open must fail the test, not hang it.
    await client.query(`SET lock_timeout = '5s'`)
    await client.query(`SET client_min_messages = warning`)
    await client.query(`DROP SCHEMA IF EXISTS ${pg.escapeIdentifier(schema)} CASCADE`)
  } finally {
    client.release(true)
  }
}
