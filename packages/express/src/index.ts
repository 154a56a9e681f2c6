/** Jobs in the routes of an Express 5 application. */

// Enqueue
export { getPgq, pgqMiddleware, type PgqMiddlewareOptions } from './middleware.ts'
export type { AcceptedJob, RequestQueue } from './request-queue.ts'
export type { StatusPath } from './status-path.ts'

// Idempotency-Key
export type { IdempotencyOptions } from './idempotency/idempotency-options.ts'
export { IdempotencyKeyError } from './idempotency/key-error.ts'
export type { Reply, ReplyInit } from './reply.ts'

// What becomes of a job
export { jobStatusRouter, type JobStatusOptions } from './job-status-router.ts'
export { jobView, type JobView } from './job-view.ts'

// Errors
export { problems, type ProblemsOptions } from './problems.ts'
export type { Problem, ProblemIssue } from '@pgq/core/problems'

// The process
export { healthRouter, type HealthOptions } from './health-router.ts'
export { gracefulShutdown } from './graceful-shutdown.ts'
export type { ShutdownOptions, ShutdownReport, ShutdownStep, ShutdownStepName } from './shutdown-options.ts'
