import { cleanUpAfterwards, freshName, type FreshQueue } from '@pgq/test-support'
import { createPgq, type Pgq } from '../../src/index.ts'

/** Connects as another role. */
export function connectAs(databaseUrl: string, role: string, schema: string): Pgq {
  const url = new URL(databaseUrl)
  url.username = role
  const pgq = createPgq({ connectionString: url.href, schema })
  cleanUpAfterwards(() => pgq.close())
  return pgq
}

/** A role that may read and write the rows of a queue, and create nothing: what an application runs as where somebody else migrates. */
export async function guestOf({ sql, schema, databaseUrl }: FreshQueue<Pgq>): Promise<Pgq> {
  const role = freshName()
  await sql(`CREATE ROLE ${role} LOGIN`)
  cleanUpAfterwards(async () => void (await sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)))
  await sql(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`)
  await sql(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`)
  return connectAs(databaseUrl, role, schema)
}
