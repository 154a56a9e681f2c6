import type { AttemptError, BackoffSpec, JobStatus, Json, Metadata } from '@pgq/core'
import { textOption } from '@pgq/core/options'
import { integer, jsonb, pgSchema, pgView, real, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core'

// The types below are put together from the types of Drizzle's functions and not from those of its classes, which were
// renamed and lost parameters in 1.0: so the declarations of this package fit both.
declare const jsonColumn: ReturnType<typeof jsonb>
declare const textColumn: ReturnType<typeof text>

type Nullable<Builder extends (...args: never[]) => unknown> = ReturnType<Builder>
type Required<Builder extends { notNull(): unknown }> = ReturnType<Builder['notNull']>
type JsonOf<Value> = ReturnType<typeof jsonColumn.$type<Value>>
type TextOf<Value> = ReturnType<typeof textColumn.$type<Value>>

/** The columns of `pgq.jobs`, as Drizzle declares columns. */
export type JobColumns<Payload, Result> = {
  id: Required<Nullable<typeof uuid>>
  queueName: Required<Nullable<typeof text>>
  payload: Required<JsonOf<Payload>>
  status: Required<TextOf<JobStatus>>
  priority: Required<Nullable<typeof smallint>>
  attempts: Required<Nullable<typeof integer>>
  maxAttempts: Required<Nullable<typeof integer>>
  fence: Required<Nullable<typeof integer>>
  scheduledFor: Required<Nullable<typeof timestamp>>
  createdAt: Required<Nullable<typeof timestamp>>
  startedAt: Nullable<typeof timestamp>
  completedAt: Nullable<typeof timestamp>
  lockedBy: Nullable<typeof uuid>
  crashes: Required<Nullable<typeof integer>>
  timeoutMs: Nullable<typeof integer>
  uniqueKey: Nullable<typeof text>
  groupKey: Nullable<typeof text>
  cost: Nullable<typeof real>
  error: Nullable<typeof text>
  errors: JsonOf<AttemptError[]>
  result: JsonOf<Result>
  progress: JsonOf<Json>
  backoff: JsonOf<BackoffSpec>
  metadata: JsonOf<Metadata>
}

/** `pgq.jobs` as a view that exists: to SELECT from and to JOIN, and nothing that drizzle-kit would create or drop. */
export type JobsView<Payload = Json, Result = Json> = ReturnType<
  ReturnType<typeof pgView<'jobs', JobColumns<Payload, Result>>>['existing']
>

/**
 * The jobs of a pgq in another schema: the `schema` that was given to `createPgq`.
 * @throws PgqError INVALID_OPTION
 */
export function jobsIn(schema: string): JobsView {
  textOption('the schema of the jobs', schema, 63)
  // Drizzle will not have `public` named as a schema.
  const view = schema === 'public' ? pgView('jobs', columns()) : pgSchema(schema).view('jobs', columns())
  return view.existing() as unknown as JobsView
}

const columns = () => ({
  id: uuid('id').notNull(),
  queueName: text('queue_name').notNull(),
  payload: jsonb('payload').notNull(),
  status: text('status').notNull(),
  priority: smallint('priority').notNull(),
  attempts: integer('attempts').notNull(),
  maxAttempts: integer('max_attempts').notNull(),
  fence: integer('fence').notNull(),
  scheduledFor: instant('scheduled_for').notNull(),
  createdAt: instant('created_at').notNull(),
  startedAt: instant('started_at'),
  completedAt: instant('completed_at'),
  lockedBy: uuid('locked_by'),
  crashes: integer('crashes').notNull(),
  timeoutMs: integer('timeout_ms'),
  uniqueKey: text('unique_key'),
  groupKey: text('group_key'),
  cost: real('cost'),
  error: text('error'),
  errors: jsonb('errors'),
  result: jsonb('result'),
  progress: jsonb('progress'),
  backoff: jsonb('backoff'),
  metadata: jsonb('metadata'),
})

const instant = (name: string) => timestamp(name, { withTimezone: true })

/** The jobs of the schema `pgq`. All queues are in it: for the jobs of one queue, typed by it, take `jobsOf`. */
export const jobs: JobsView = /* @__PURE__ */ jobsIn('pgq')
