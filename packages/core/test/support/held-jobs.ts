import { randomUUID } from 'node:crypto'
import type { ClaimedJob } from '../../src/job/job.ts'
import type { Claim } from '../../src/sql/held-claims.ts'
import { tablesIn } from '../../src/sql/statement.ts'
import type { Database } from '../../src/store/database.ts'
import { JobStore } from '../../src/store/job-store.ts'
import { PgDatabase } from '../../src/store/pg-database.ts'
import type { FreshQueue } from './fresh-queue.ts'

/** A worker without a process: it claims when the test says so, and then holds its jobs. */
export interface StillWorker {
  readonly id: string
  readonly store: JobStore
  readonly database: Database
  readonly claim: (queue: string, limit?: number) => Promise<ClaimedJob[]>
  /** What `store` needs to settle a job of this worker. */
  readonly held: (job: ClaimedJob | undefined) => Claim
}

/** Registers a worker that lives for an hour, in the table of workers only. */
export async function stillWorker(
  { pool, schema, sql }: FreshQueue,
  {
    queues = [],
    listening = false,
  }: { readonly queues?: readonly string[]; readonly listening?: boolean } = {},
): Promise<StillWorker> {
  const id: string = randomUUID()
  await sql(
    `INSERT INTO ${schema}.workers (id, name, hostname, pid, queues, concurrency, listening, lease_until)
     VALUES ($1, 'still', 'test', 0, $2, 1, $3, now() + interval '1 hour')`,
    [id, queues, listening],
  )
  const database = new PgDatabase({ pool, schema, ours: false })
  const store = new JobStore(tablesIn(schema))
  return {
    id,
    store,
    database,
    claim: (queue, limit = 100) =>
      store.claim(database, { workerId: id, wanted: [{ queue, limit, floor: undefined }] }),
    held: (job) => {
      if (job === undefined) throw new Error('there was no job to claim')
      return { id: job.id, fence: job.fence, workerId: id }
    },
  }
}
