import { randomUUID } from 'node:crypto'
import { Client } from 'pg'

/** Runs something against an empty database of its own on a server, and drops the database after. */
export async function withFreshDatabase<Result>(
  serverUrl: string,
  use: (databaseUrl: string) => Promise<Result>,
): Promise<Result> {
  const name = `docs_${randomUUID().replaceAll('-', '')}`
  const server = new Client({ connectionString: serverUrl })
  await server.connect()
  try {
    await server.query(`CREATE DATABASE ${name}`)
    const url = new URL(serverUrl)
    url.pathname = name
    return await use(url.href)
  } finally {
    await server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await server.end()
  }
}
