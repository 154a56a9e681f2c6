import { createPgq, defineQueue } from '@pgq/core'
import type { Server } from '../server.ts'

/** A second queue in the same database, with jobs that wait and one whose worker is long gone; nobody works on it. */
export interface Bystander {
  /** Whether it looks as it did when it was made. */
  isUnchanged(): Promise<boolean>
}

const LOOK = `
  SELECT md5(string_agg(job::text, '/' ORDER BY job.id))
         || (SELECT md5(string_agg(worker::text, '/' ORDER BY worker.id)) FROM bystander.workers AS worker) AS look
  FROM bystander.jobs AS job`

/** Makes the bystander. */
export async function makeBystander(server: Server, database: string): Promise<Bystander> {
  const pgq = createPgq({ connectionString: server.url(database), schema: 'bystander' })
  await pgq.migrate()
  await pgq.enqueueMany(
    defineQueue('plain'),
    Array.from({ length: 20 }, (_, i) => ({ i })),
  )
  await pgq.close()
  const look = (): Promise<string> =>
    server.ask(database, async (client) => (await client.query<{ look: string }>(LOOK)).rows[0]?.look ?? '')
  await server.ask(database, async (client) => {
    await client.query(`
      INSERT INTO bystander.workers (id, name, hostname, pid, queues, concurrency, lease_until)
      SELECT gen_random_uuid(), 'gone', '', 0, '{plain}', 1, now() - interval '1 hour'
      WHERE NOT EXISTS (SELECT FROM bystander.workers)`)
    await client.query(`
      UPDATE bystander.jobs SET status = 'processing', attempts = 1, locked_by = (SELECT id FROM bystander.workers)
      WHERE id = (SELECT min(id::text)::uuid FROM bystander.jobs)`)
  })
  const before = await look()
  return { isUnchanged: async () => (await look()) === before }
}
