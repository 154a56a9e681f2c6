import { PgBoss } from 'pg-boss'
import { PG_BOSS, PG_BOSS_WORK } from '../roster.ts'
import type { BenchPayload, Contestant, OpenContestant, WorkOrder } from './contestant.ts'
import { countConnections, readRow, runStatements } from './postgres-audit.ts'

/** A pause of the bare loop when there was nothing to fetch, in ms. */
const EMPTY_PAUSE_MS = 5

/** pg-boss driven by a bare loop: fetch a batch, handle it, complete it. The fastest that it can be used. */
export const openPgBoss: OpenContestant = (url) => open(url, startLoops)

/** pg-boss with its own workers, as most applications use it. */
export const openPgBossWork: OpenContestant = (url) => open(url, startWork)

function open(
  url: string,
  start: (boss: PgBoss, order: WorkOrder) => Promise<() => Promise<unknown>>,
): Contestant {
  const boss = new PgBoss({
    connectionString: url,
    max: PG_BOSS.max,
    useListenNotify: start === startWork,
  })
  boss.on('error', (error) => console.error('pg-boss:', error))
  let started: Promise<unknown> | undefined
  const ready = (): Promise<unknown> => (started ??= boss.start())
  return {
    async setUp(queues) {
      await ready()
      for (const queue of queues) await boss.createQueue(queue, { notify: start === startWork })
    },
    async enqueueMany(queue, payloads, { priority, once } = {}) {
      await ready()
      const settings = {
        ...(priority !== undefined && { priority: -priority }),
        ...(once === true && { retryLimit: 0 }),
      }
      return boss.insert(
        queue,
        payloads.map((data) => ({ data, ...settings })),
      )
    },
    async enqueue(queue, payload) {
      await ready()
      return boss.send(queue, payload)
    },
    addBallast: (queue, { completed, delayed }) =>
      runStatements(url, [
        [
          `INSERT INTO pgboss.job (name, data, state, retry_count, started_on, completed_on)
           SELECT $1, jsonb_build_object('n', n, 'orderId', 'order-' || n), 'completed', 1, now(), now()
           FROM generate_series(1, $2::integer) AS n`,
          [queue, completed],
        ],
        [
          `INSERT INTO pgboss.job (name, data, start_after)
           SELECT $1, jsonb_build_object('n', n, 'orderId', 'order-' || n), now() + interval '1 day' + n * interval '1 ms'
           FROM generate_series(1, $2::integer) AS n`,
          [queue, delayed],
        ],
      ]),
    async startWorker(order) {
      await ready()
      return start(boss, order)
    },
    counts: () =>
      readRow(
        url,
        `SELECT count(*)::integer AS added,
                (count(*) FILTER (WHERE state IN ('created', 'retry', 'active')))::integer AS live,
                (count(*) FILTER (WHERE state IN ('failed', 'cancelled')))::integer AS failed,
                (count(*) FILTER (WHERE state = 'completed'))::integer AS completed
         FROM pgboss.job
         WHERE name NOT LIKE '\\_\\_pgboss%'`,
      ),
    connections: () => countConnections(url),
    async close() {
      if (!started) return
      await started
      await boss.stop({ graceful: false })
    },
  }
}

async function startLoops(
  boss: PgBoss,
  { queues, handle, onEnded }: WorkOrder,
): Promise<() => Promise<unknown>> {
  const over = new AbortController()
  const loop = async (queue: string): Promise<void> => {
    while (!over.signal.aborted) {
      const jobs = await boss.fetch<BenchPayload>(queue, { batchSize: PG_BOSS.batchSize })
      if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, EMPTY_PAUSE_MS))
      else await settle(boss, queue, jobs, handle)
      jobs.forEach(onEnded)
    }
  }
  // With many queues there are loops enough: more of them would only look at empty ones.
  const perQueue = queues.length === 1 ? PG_BOSS.loops : 1
  const loops = queues.flatMap((queue) => Array.from({ length: perQueue }, () => loop(queue)))
  return () => {
    over.abort()
    return Promise.all(loops)
  }
}

async function settle(
  boss: PgBoss,
  queue: string,
  jobs: readonly { id: string; data: BenchPayload }[],
  handle: WorkOrder['handle'],
): Promise<void> {
  const outcomes = await Promise.allSettled(jobs.map(async ({ data }) => handle(data)))
  const idsOf = (status: string): string[] =>
    jobs.filter((_, index) => outcomes[index]?.status === status).map(({ id }) => id)
  const [done, failed] = [idsOf('fulfilled'), idsOf('rejected')]
  if (done.length > 0) await boss.complete(queue, done)
  if (failed.length > 0) await boss.fail(queue, failed)
}

async function startWork(
  boss: PgBoss,
  { queues, handlers, handle, onEnded }: WorkOrder,
): Promise<() => Promise<unknown>> {
  const { max: _max, useListenNotify: _listen, ...options } = PG_BOSS_WORK
  // A batch is handled at once: to run so many handlers is to fetch a batch of so many.
  const size = handlers === undefined ? {} : { batchSize: handlers, localConcurrency: 1 }
  for (const queue of queues) {
    await boss.work<BenchPayload>(queue, { ...options, ...size }, async (jobs) => {
      await Promise.all(jobs.map(async ({ data }) => handle(data)))
      jobs.forEach(onEnded)
    })
  }
  return () => Promise.all(queues.map((queue) => boss.offWork(queue)))
}
