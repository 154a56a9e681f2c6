import type { AnyQueue, InputOf, ResultOf } from '@pgq/core'
import { assertQueue, knownOptions, textOption } from '@pgq/core/options'
import { eq } from 'drizzle-orm'
import { QueryBuilder, type SubqueryWithSelection } from 'drizzle-orm/pg-core'
import { jobsIn, type JobsView } from './jobs.ts'
import type { Stored } from './stored.ts'

/** The jobs of one queue: its payloads and results have the types that are stored for it. */
export type JobsOf<Q extends AnyQueue, Alias extends string = 'jobs'> = SubqueryWithSelection<
  JobsView<Stored<InputOf<Q>>, Stored<ResultOf<Q>>>['_']['selectedFields'],
  Alias
>

/** Where the jobs are, and what they are called in the query. */
export interface JobsOfOptions<Alias extends string> {
  /** The schema of pgq. @default 'pgq' */
  readonly schema?: string
  /** The name in the query, when two queues are joined in one. @default 'jobs' */
  readonly as?: Alias
}

/**
 * The jobs of one queue, to SELECT from and to JOIN. Unlike `jobs` it has no others, and so their types hold: `payload` is
 * what was given to `enqueue`, as JSON gives it back, and `result` what the handler returned.
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 * @example
 * const receiptJobs = jobsOf(receipts)
 * await db.select().from(payments).leftJoin(receiptJobs, eq(sql`${receiptJobs.payload} ->> 'paymentId'`, payments.id))
 */
export function jobsOf<Q extends AnyQueue, Alias extends string = 'jobs'>(
  queue: Q,
  options: JobsOfOptions<Alias> = {},
): JobsOf<Q, Alias> {
  assertQueue(queue)
  knownOptions('the options of jobsOf', options, ['schema', 'as'])
  const { schema = 'pgq', as = 'jobs' } = options
  textOption('as', as, 63)
  const jobs = jobsIn(schema)
  const ofQueue = new QueryBuilder().select().from(jobs).where(eq(jobs.queueName, queue.name)).as(as)
  return ofQueue as unknown as JobsOf<Q, Alias>
}
