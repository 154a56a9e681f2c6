/** Jobs in Nest, on the PostgreSQL that the application already has. */

// The module
export { PgqModule, type PgqFeatureOptions } from './pgq-module.ts'
export type {
  Enhancers,
  PgqConnectionOptions,
  PgqModuleAsyncOptions,
  PgqModuleOptions,
  PgqOptionsFactory,
} from './pgq-module-options.ts'
export type { PgqWorkerOptions, PgqWorkerQueue } from './worker-settings.ts'
export { getPgqToken, getQueueToken } from './tokens.ts'

// Enqueue
export { InjectPgq, InjectQueue, type InjectDecorator } from './inject.ts'
export { type JobRecordOf, QueueClient, type QueuePage } from './queue-client.ts'

// Answer
export { PgqExceptionFilter } from './pgq-exception-filter.ts'
export type { Problem as PgqProblem } from '@pgq/core/problems'

// Process
export {
  Processor,
  type ProcessorDecorator,
  type ProcessorOptions,
  type QueueProcessor,
} from './processor.ts'
export { Process, type ProcessDecorator, type ProcessOptions } from './process.ts'
export { InjectJob, InjectJobContext } from './inject.ts'
export { type PgqContextType, PgqExecutionContext } from './execution-context.ts'

// Schedule
export { type NestScheduleOptions, Schedule, type ScheduleDecorator } from './schedule.ts'

// Learn what happens
export {
  type JobEvent,
  type JobEventName,
  OnJobEvent,
  type OnJobEventDecorator,
  type OnJobEventOptions,
} from './on-job-event.ts'
