import { EventEmitter } from 'node:events'
import { Logger, makeWorkerUtils, run, runMigrations, type TaskList, type WorkerUtils } from 'graphile-worker'
import { GRAPHILE_WORKER } from '../roster.ts'
import type { BenchPayload, Contestant, OpenContestant } from './contestant.ts'
import { countConnections, readRow, runStatements } from './postgres-audit.ts'

/** graphile-worker. A task identifier is what others call a queue; its own named queues would make the jobs run one after the other. */
export const openGraphileWorker: OpenContestant = (url): Contestant => {
  let utils: Promise<WorkerUtils> | undefined
  const getUtils = (): Promise<WorkerUtils> =>
    (utils ??= makeWorkerUtils({ connectionString: url, maxPoolSize: GRAPHILE_WORKER.maxPoolSize, logger }))
  return {
    setUp: () => runMigrations({ connectionString: url, logger }),
    async enqueueMany(queue, payloads, { priority, once } = {}) {
      const settings = {
        ...(priority !== undefined && { priority }),
        ...(once === true && { maxAttempts: 1 }),
      }
      const jobs = payloads.map((payload) => ({ identifier: queue, payload, ...settings }))
      return (await getUtils()).addJobs(jobs)
    },
    enqueue: async (queue, payload) => (await getUtils()).addJob(queue, payload),
    // What is completed is deleted.
    async addBallast(queue, { delayed }) {
      await (await getUtils()).addJob(queue, {}, { runAt: new Date(Date.now() + 86_400_000) }) // registers the task
      await runStatements(url, [
        [
          `INSERT INTO graphile_worker._private_jobs (task_id, payload, run_at)
           SELECT task.id, json_build_object('n', n, 'orderId', 'order-' || n), now() + interval '1 day' + n * interval '1 ms'
           FROM graphile_worker._private_tasks AS task, generate_series(2, $2::integer) AS n
           WHERE task.identifier = $1`,
          [queue, delayed],
        ],
      ])
    },
    async startWorker({ queues, handlers, handle, onEnded }) {
      const events = new EventEmitter()
      events.on('job:complete', onEnded)
      const taskList: TaskList = Object.fromEntries(
        queues.map((queue) => [queue, (payload: unknown) => handle(payload as BenchPayload)]),
      )
      const runner = await run({
        preset: {
          worker: {
            ...GRAPHILE_WORKER,
            connectionString: url,
            ...(handlers !== undefined && { concurrentJobs: handlers }),
          },
        },
        taskList,
        events,
        logger,
        noHandleSignals: true,
      })
      return () => runner.stop()
    },
    // A job that is done is deleted; the sequence of the ids remembers how many there were.
    counts: async () => {
      const row = await readRow<{ added: number; live: number; failed: number }>(
        url,
        `SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('graphile_worker._private_jobs', 'id')), 0)::integer AS added,
                (count(*) FILTER (WHERE attempts < max_attempts OR locked_at IS NOT NULL))::integer AS live,
                (count(*) FILTER (WHERE attempts >= max_attempts AND locked_at IS NULL))::integer AS failed
         FROM graphile_worker._private_jobs`,
      )
      return { ...row, completed: undefined }
    },
    connections: () => countConnections(url),
    close: async () => (await utils)?.release(),
  }
}

/** It logs every job; as in its own performance tests nobody wants to hear that, nor of jobs that are meant to fail. */
const logger = new Logger(() => (level, message) => {
  if (level === 'error' && !message.startsWith('Failed task')) console.error(`graphile-worker: ${message}`)
})
