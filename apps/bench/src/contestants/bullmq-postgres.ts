import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq'
import pg from 'pg'
import { BULLMQ_POSTGRES } from '../roster.ts'
import { openBullmq } from './bullmq.ts'
import type { Contestant, OpenContestant } from './contestant.ts'
import { countConnections, readRow } from './postgres-audit.ts'

/** BullMQ on PostgreSQL. */
export const openBullmqPostgres: OpenContestant = (url): Contestant => {
  const { max, concurrency, removeOnComplete } = BULLMQ_POSTGRES
  const connection = { connectionString: url, max }
  const bullmq = openBullmq({
    worker: { concurrency, removeOnComplete },
    openQueue: (name, options) => new Queue(name, { ...options, connection }, createPostgresBackend),
    openWorker: (name, process, options) =>
      new Worker(name, process, { ...options, connection }, createPostgresBackend),
  })
  return {
    ...bullmq,
    async setUp(queues) {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      await runMigrations(client)
      await client.end()
      await Promise.all(queues.map((name) => bullmq.queueOf(name).waitUntilReady()))
    },
    // A job that is done is removed; the sequence of their order remembers how many there were.
    counts: async () => {
      const row = await readRow<{ added: number; live: number; failed: number }>(
        url,
        `SELECT coalesce(pg_sequence_last_value('bullmq.job_seq'), 0)::integer AS added,
                (count(*) FILTER (WHERE state NOT IN ('completed', 'failed')))::integer AS live,
                (count(*) FILTER (WHERE state = 'failed'))::integer AS failed
         FROM bullmq.job`,
      )
      return { ...row, completed: undefined }
    },
    connections: () => countConnections(url),
  }
}
