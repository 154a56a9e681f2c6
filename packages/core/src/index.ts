/** A job queue on the PostgreSQL that an application already has. */

// The queue
export { createPgq, type Pgq } from './pgq.ts'
export type { PgqOptions } from './client/pgq-options.ts'
export {
  type AnyQueue,
  defineQueue,
  type InputOf,
  type PayloadOf,
  type Queue,
  type QueueOptions,
  type ResultOf,
} from './job/queue.ts'
export type { Limits, QueueLimits, Rate } from './job/limits.ts'
export { type Schema, type } from './job/schema.ts'
export { type Duration, durationMs, type DurationUnit } from './runtime/duration.ts'

// Enqueue
export type { EnqueueOptions } from './client/enqueuer.ts'
export type { EnqueueResult } from './client/enqueue-result.ts'
export type { OnceAnswer, OnceOptions } from './client/idempotency.ts'
export type { JobOptions } from './job/new-job.ts'
export type { FieldOf, OnConflict, Replaceable, UniqueOptions } from './job/unique.ts'
export type { Queryable, Transaction } from './store/queryable.ts'

// Process
export { type ChunkContext, type ChunkMember, type ChunkOptions, handleChunk } from './worker/handle-chunk.ts'
export type { Marked } from './worker/chunk.ts'
export {
  type ChunkRunner,
  type Handler,
  handle,
  type HandlerOptions,
  type JobContext,
  type OpenChunk,
  type TransactionalJobContext,
} from './worker/handler.ts'
export type { Worker, WorkerStatus } from './worker/worker.ts'
export type { WorkerOptions } from './worker/worker-options.ts'
export type { AttemptError, Job, JobOf, JobRecord, Json, Metadata } from './job/job.ts'
export { CancelJob, DeadJob, RateLimitJob, RetryJob, SnoozeJob } from './job/endings.ts'
export {
  type Backoff,
  type BackoffFunction,
  type BackoffSpec,
  exponential,
  fixed,
  linear,
  list,
} from './retry/backoff.ts'

// Schedule
export {
  type CronRule,
  type IntervalRule,
  nextTicks,
  type OnceRule,
  type Schedule,
  schedule,
  type ScheduleOptions,
  type ScheduleRule,
  type Tick,
  tickOf,
} from './job/schedule.ts'
export type { ListSchedulesOptions, ScheduleCallOptions, Schedules } from './client/schedules.ts'
export type { ScheduleRecord } from './store/schedule-store.ts'
export type { Missed } from './cron/due-ticks.ts'
export type { Rule } from './cron/rule.ts'

// Look and act
export type { JobFilter, JobTarget, ListOptions } from './client/filter.ts'
export type { CancelOptions, ControlOptions } from './client/controller.ts'
export type { HoldOptions } from './client/queue-control.ts'
export type { JobPage } from './client/inspector.ts'
export type { Explanation, Reason, ReasonCode } from './client/explanation.ts'
export type { WorkerReport } from './store/fleet-reader.ts'
export type { Backlog, JobCount, JobSizes } from './store/job-reader.ts'
export type { BoundedCount, QueueSurvey } from './store/queue-reader.ts'
export type { DiagnoseOptions, Diagnosis } from './client/diagnosis/doctor.ts'
export type { CheckName, Finding, Severity } from './client/diagnosis/finding.ts'
export type { WatchOptions } from './client/watcher.ts'
export { hasEnded, JOB_STATUSES, type JobStatus } from './job/status.ts'
export type { MigrationReport } from './store/migrator.ts'
export type { ConnectionConfig } from './store/pg-connection.ts'

// Learn what happens
export type { EventError, EventJob, Events, PgqEvent, PgqEventName, PgqEvents } from './events.ts'
export type { AttemptEnd, EnqueueCall, Hooks } from './hooks.ts'
export { logEvents, type Logger, type LogRecord, type StructuredLogger } from './log.ts'
export type { LogFields } from './log/fields.ts'
export { type ConsoleLike, toConsole } from './log/to-console.ts'
export { type PinoLike, toPino } from './log/to-pino.ts'
export { ERROR_CODES, isPgqError, type PayloadIssue, PgqError, type PgqErrorCode } from './errors.ts'
