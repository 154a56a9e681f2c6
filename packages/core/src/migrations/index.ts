import { tables } from './0001-tables.ts'
import { enqueueFunctions } from './0002-enqueue.ts'
import { handWrittenChanges } from './0003-hand-written-changes.ts'
import { idempotencyKeys } from './0004-idempotency-keys.ts'
import { hotStatements } from './0005-hot-statements.ts'
import { schedules } from './0006-schedules.ts'
import { limits } from './0007-limits.ts'
import { explain } from './0008-explain.ts'
import { uniqueJobs } from './0009-unique-jobs.ts'
import type { Migration } from './migration.ts'

/** Every migration, in order. Append only: a released one never changes. */
export const MIGRATIONS: readonly Migration[] = [
  tables,
  enqueueFunctions,
  handWrittenChanges,
  idempotencyKeys,
  hotStatements,
  schedules,
  limits,
  explain,
  uniqueJobs,
]
