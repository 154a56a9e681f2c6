import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject, onTestFinished } from 'vitest'

/** Makes an empty database for one test, for what looks at all schemas of one. Returns its URL. */
export async function freshDatabase(): Promise<string> {
  const name = `drizzle_${randomBytes(6).toString('hex')}`
  const url = new URL(inject('databaseUrl'))
  await onServer(url.href, `CREATE DATABASE ${name}`)
  onTestFinished(() => onServer(url.href, `DROP DATABASE ${name} WITH (FORCE)`))
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}

async function onServer(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.query(statement)
  await client.end()
}
