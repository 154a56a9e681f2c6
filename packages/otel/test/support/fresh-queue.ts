import {
  createPgq,
  type Handler,
  type Pgq,
  type PgqOptions,
  type Worker,
  type WorkerOptions,
} from '@pgq/core'
import { cleanUpAfterwards, dropSchema, freshName } from '@pgq/test-support'
import pg from 'pg'
import { inject } from 'vitest'

/** A migrated queue on a schema of its own. */
export interface FreshQueue {
  readonly pgq: Pgq
  readonly schema: string
  /** Connections of the test, which `pgq` does not use. */
  readonly pool: pg.Pool
  readonly databaseUrl: string
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows the rows that it asks for
  readonly sql: <Row extends pg.QueryResultRow = any>(text: string, values?: unknown[]) => Promise<Row[]>
}

/** Makes a queue on a fresh schema, which goes with the test, or with the file outside of tests. */
export async function freshQueue(options: Partial<PgqOptions> = {}): Promise<FreshQueue> {
  const databaseUrl = inject('databaseUrl')
  const schema = freshName()
  const given = options.pool ?? options.connection ?? options.connectionString
  const pgq = createPgq({
    ...(given === undefined && { connectionString: databaseUrl }),
    ...options,
    schema,
  })
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 5 })
  cleanUpAfterwards(async () => {
    await pgq.close()
    await dropSchema(pool, schema)
    await pool.end()
  })
  await pgq.migrate()
  return {
    pgq,
    schema,
    pool,
    databaseUrl,
    sql: async (text, values) => (await pool.query(text, values)).rows,
  }
}

/** Starts a worker in this process, which stops when the test or the file ends and waits for nobody then. */
export async function work(
  pgq: Pgq,
  handlers: readonly Handler[],
  options: WorkerOptions = {},
): Promise<Worker> {
  const worker = pgq.createWorker(handlers, { shutdownTimeout: 0, ...options })
  cleanUpAfterwards(() => worker.stop())
  await worker.start()
  return worker
}
