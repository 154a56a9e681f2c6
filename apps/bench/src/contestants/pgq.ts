import { createPgq, defineQueue, handle, type Queue, type QueueLimits } from '@pgq/core'
import { z } from 'zod'
import type { BenchPayload, Contestant, Counts, OpenContestant, SetUpSettings } from './contestant.ts'
import { countConnections, readRow, runStatements } from './postgres-audit.ts'

/** The schema that every payload is checked with, when it is enqueued and before the handler. */
const payload: z.ZodType<BenchPayload, BenchPayload> = z.object({
  n: z.number(),
  orderId: z.string(),
  filler: z.string().exactOptional(),
})

/** pgq with its defaults, payload validation and listeners for events, as an application has them. */
export const openPgq: OpenContestant = (url): Contestant => {
  const pgq = createPgq({ connectionString: url })
  const queues = new Map<string, Queue<BenchPayload>>()
  const queueOf = (name: string): Queue<BenchPayload> => {
    const queue = queues.get(name) ?? defineQueue(name, { payload })
    queues.set(name, queue)
    return queue
  }
  pgq.events.on('error', ({ where, error }) => console.error(`pgq: ${where}:`, error))

  return {
    async setUp(names, settings = {}) {
      await pgq.migrate()
      const limits = limitsOf(settings)
      if (limits) for (const name of names) await pgq.setLimits(name, limits)
    },
    enqueueMany: (queue, payloads, { priority, once, tenant, keyed } = {}) =>
      pgq.enqueueMany(queueOf(queue), payloads, {
        ...(priority !== undefined && { priority }),
        ...(once === true && { maxAttempts: 1 }),
        ...(tenant !== undefined && { group: tenant }),
        ...(keyed === true && { unique: { key: ({ orderId }: BenchPayload) => orderId } }),
      }),
    enqueue: (queue, job, { tenant } = {}) =>
      pgq.enqueue(queueOf(queue), job, tenant === undefined ? {} : { group: tenant }),
    addBallast: (queue, { completed, delayed }) =>
      runStatements(url, [
        [
          `INSERT INTO pgq.jobs (queue_name, payload, status, attempts, fence, started_at, completed_at)
           SELECT $1, jsonb_build_object('n', n, 'orderId', 'order-' || n), 'completed', 1, 1, now(), now()
           FROM generate_series(1, $2::integer) AS n`,
          [queue, completed],
        ],
        [
          `INSERT INTO pgq.jobs (queue_name, payload, scheduled_for)
           SELECT $1, jsonb_build_object('n', n, 'orderId', 'order-' || n), now() + interval '1 day' + n * interval '1 ms'
           FROM generate_series(1, $2::integer) AS n`,
          [queue, delayed],
        ],
      ]),
    async startWorker({ queues: names, handlers, handle: run, onEnded }) {
      const forget = [pgq.events.on('job.completed', onEnded), pgq.events.on('job.dead', onEnded)]
      const options = handlers === undefined ? {} : { concurrency: handlers }
      const worker = pgq.createWorker(
        names.map((name) => handle(queueOf(name), (job) => run(job.payload), options)),
      )
      await worker.start()
      return async () => {
        await worker.stop()
        for (const forgetOne of forget) forgetOne()
      }
    },
    counts: () => countJobs(url),
    connections: () => countConnections(url),
    close: () => pgq.close(),
  }
}

function limitsOf({ limit, limitPerTenant, rate }: SetUpSettings): QueueLimits | undefined {
  if ((limit ?? limitPerTenant ?? rate) === undefined) return undefined
  return {
    ...(limit !== undefined && { concurrency: limit }),
    ...(limitPerTenant !== undefined && { perGroup: { concurrency: limitPerTenant } }),
    ...(rate !== undefined && { rate: { limit: rate, per: '1s' } }),
  }
}

/** Counts the jobs of the schema `pgq`, by what became of them. */
export function countJobs(url: string): Promise<Counts> {
  return readRow(
    url,
    `SELECT count(*)::integer AS added,
            (count(*) FILTER (WHERE status IN ('pending', 'processing', 'failed')))::integer AS live,
            (count(*) FILTER (WHERE status IN ('dead', 'cancelled')))::integer AS failed,
            (count(*) FILTER (WHERE status = 'completed'))::integer AS completed
     FROM pgq.jobs`,
  )
}
