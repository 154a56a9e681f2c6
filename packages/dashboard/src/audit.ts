import type { JobFilter } from '@pgq/core'

/** What can be done through a dashboard. */
export type AuditAction =
  | 'jobs.retry'
  | 'jobs.cancel'
  | 'jobs.redrive'
  | 'jobs.delete'
  | 'queue.pause'
  | 'queue.resume'
  | 'schedule.run'
  | 'schedule.pause'
  | 'schedule.resume'

/** Something that somebody did, or tried to do. */
export interface AuditEvent {
  readonly action: AuditAction
  /** Who it was, as `authorize` has said it. */
  readonly actor: string | undefined
  /** `refused` when it was somebody who may only look. */
  readonly outcome: 'done' | 'failed' | 'refused'
  /** What it was done to: ids of jobs or a filter, or the name of a queue or a schedule. */
  readonly ids?: readonly string[]
  readonly filter?: JobFilter
  readonly name?: string
  /** How many jobs were changed; of what failed, or was stopped, until then. */
  readonly jobs?: number
  readonly error?: unknown
}
