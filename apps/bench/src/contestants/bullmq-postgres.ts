import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq'
import pg from 'pg'
import { BULLMQ_POSTGRES } from '../roster.ts'
import { openBullmq } from './bullmq.ts'
import type { Contestant, OpenContestant } from './contestant.ts'
import { countConnections, readRow } from './postgres-audit.ts'

/** BullMQ on PostgreSQL. */
export const openBullmqPostgres: OpenContestant = (url): Contestant => {
  let queueCount = 1
  // Each Queue and each Worker has a pool of its own: twenty of them share the connections of one, and its concurrency.
  const share = (of: number): number => Math.max(2, Math.ceil(of / queueCount))
  const connection = (): { connectionString: string; max: number } => ({
    connectionString: url,
    max: share(BULLMQ_POSTGRES.max),
  })
  const bullmq = openBullmq({
    worker: { removeOnComplete: BULLMQ_POSTGRES.removeOnComplete },
    openQueue: (name, options) =>
      new Queue(name, { ...options, connection: connection() }, createPostgresBackend),
    openWorker: (name, process, options) => {
      const concurrency = options.concurrency ?? share(BULLMQ_POSTGRES.concurrency)
      return new Worker(
        name,
        process,
        { ...options, concurrency, connection: connection() },
        createPostgresBackend,
      )
    },
  })
  return {
    ...bullmq,
    async setUp(queues) {
      queueCount = queues.length
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
