import { startPostgres } from '@pgq/embedded-postgres'
import pg from 'pg'
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle, isPgqError } from '../src/index.ts'
import { cleanUpAfterwards, until } from '@pgq/test-support'

const WORKERS = 50
const JOBS = 2_000

test('of fifty workers that start where there are twenty connections none fails for good, and every job is done', async () => {
  const postgres = await startPostgres({ settings: { max_connections: '20' } })
  cleanUpAfterwards(() => postgres.stop())
  // The observer may use what the server keeps for superusers.
  const observer = new pg.Client({ connectionString: postgres.url })
  await observer.connect()
  await observer.query(`CREATE ROLE app LOGIN`)
  await observer.query(`GRANT CREATE ON DATABASE postgres TO app`)
  await observer.end()
  const superuser = new pg.Pool({ connectionString: postgres.url, max: 1 })
  superuser.on('error', () => {})
  cleanUpAfterwards(() => superuser.end())

  const url = postgres.url.replace('postgres@', 'app@')
  const queue = defineQueue('crowded')
  const setUp = createPgq({ connectionString: url })
  await setUp.migrate()
  await setUp.enqueueMany(queue, Array(JOBS).fill(null))
  await setUp.close()

  const runs = new Map<string, number>()
  const handler = handle(queue, (job) => void runs.set(job.id, (runs.get(job.id) ?? 0) + 1), {
    concurrency: 5,
  })
  const refusals: unknown[] = []
  const ended = new AbortController()
  const fleet = Array.from({ length: WORKERS }, () => {
    const pgq = createPgq({ connectionString: url })
    const worker = pgq.createWorker([handler], { lease: '2s', shutdownTimeout: 0 })
    const start = async (): Promise<void> => {
      // What a process does that must run: it tries again.
      while (!ended.signal.aborted) {
        try {
          return await worker.start()
        } catch (error) {
          if (!isPgqError(error, 'DATABASE_UNAVAILABLE')) throw error
          refusals.push(error.sqlState)
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }
    }
    return { start, stop: () => worker.stop().then(() => pgq.close()) }
  })
  const starting = Promise.all(fleet.map(({ start }) => start()))
  await until(
    'every job is done',
    async () => {
      const { rows } = await superuser.query(`SELECT FROM pgq.jobs WHERE status = 'completed'`)
      return rows.length === JOBS
    },
    60_000,
  )
  ended.abort()
  await starting
  await Promise.all(fleet.map(({ stop }) => stop()))
  // There were too few, which is what this is about.
  expect(refusals).toContain('53300')
  const { rows } = await superuser.query(`SELECT status, count(*)::int AS jobs FROM pgq.jobs GROUP BY 1`)
  expect(rows).toMatchObject([{ status: 'completed', jobs: JOBS }])
  expect(runs.size).toBe(JOBS)
})
