/** Drizzle and pgq: jobs in Drizzle's transactions, in its queries, and handlers that write through it. */

export { type DrizzleExecutor, fromDrizzle } from './from-drizzle.ts'
export { type JobColumns, jobs, jobsIn, type JobsView } from './jobs.ts'
export { jobsOf, type JobsOf, type JobsOfOptions } from './jobs-of.ts'
export type { Stored } from './stored.ts'
export type { DrizzleDatabase, TransactionConfigOf, TransactionOf } from './drizzle-database.ts'
export { type DrizzleJobContext, handleWithDrizzle, type HandleWithDrizzle } from './handle-with-drizzle.ts'
export { transaction, type TransactionJobs } from './transaction.ts'
