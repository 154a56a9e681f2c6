import { cleanUpAfterwards, freshName } from '@pgq/test-support'
import pg from 'pg'
import { inject } from 'vitest'

/** Makes a database for one file, on the server of all tests, and drops it in the end. Returns its URL. */
export async function ownDatabase(settings: Readonly<Record<string, string>> = {}): Promise<string> {
  const databaseUrl = inject('databaseUrl')
  const name = freshName()
  const run = async (text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    try {
      await client.query(text)
    } finally {
      await client.end()
    }
  }
  await run(`CREATE DATABASE ${name}`)
  cleanUpAfterwards(() => run(`DROP DATABASE ${name} WITH (FORCE)`))
  for (const [setting, value] of Object.entries(settings))
    await run(`ALTER DATABASE ${name} SET ${setting} = ${pg.escapeLiteral(value)}`)
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  return url.href
}
