import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { tablesIn } from '../../src/sql/statement.ts'
import type { Session } from '../../src/store/database.ts'
import { JobStore } from '../../src/store/job-store.ts'
import { WorkerStore } from '../../src/store/worker-store.ts'
import { cleanUpAfterwards } from '@pgq/test-support'

/** One connection on which a test runs statements of the package step by step. */
export interface TestSession extends Session {
  readonly client: pg.Client
}

/** Opens one; `settings` are for its session, such as `enable_hashjoin`. */
export async function openSession(
  databaseUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestSession> {
  // What is step by step is a session's: no pooler of transactions may be in between.
  const connectionString = databaseUrl === inject('databaseUrl') ? inject('directUrl') : databaseUrl
  const client = new pg.Client({ connectionString, application_name: 'pgq test session' })
  client.on('error', () => {}) // a test may end it
  await client.connect()
  cleanUpAfterwards(() => client.end())
  for (const [name, value] of Object.entries(settings)) {
    await client.query('SELECT set_config($1, $2, false)', [name, value])
  }
  return {
    client,
    run: async (statement, params) => {
      const values = [...statement.values(params)]
      const types = { getTypeParser: () => (value: string) => value }
      const { rows } = await client.query<never>({ text: statement.text, values, types } as pg.QueryConfig)
      return rows
    },
  }
}

/** The statements of one schema. */
export function storesOf(schema: string): { jobs: JobStore; workers: WorkerStore } {
  return { jobs: new JobStore(tablesIn(schema)), workers: new WorkerStore(tablesIn(schema)) }
}

/** Registers a worker that exists only in its row, with a lease of ten minutes, and returns its id. */
export async function registerWorker(session: Session, workers: WorkerStore): Promise<string> {
  const id = randomUUID()
  const worker = { id, name: 'test', hostname: 'test', pid: 1, queues: [], concurrency: 1 }
  await workers.register(session, { ...worker, leaseMs: 600_000 })
  return id
}
