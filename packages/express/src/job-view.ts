import { createHash } from 'node:crypto'
import type { JobRecord, JobStatus, Json } from '@pgq/core'

/** What a client sees of a job unless you decide otherwise. */
export interface JobView {
  readonly id: string
  readonly status: JobStatus
  readonly progress: Json | null
  readonly createdAt: Date
  readonly startedAt: Date | null
  /** When it was completed, died or was cancelled. */
  readonly completedAt: Date | null
  /** What the handler returned, once the job is completed. */
  readonly result?: unknown
}

/**
 * What a client sees by default: how the job stands, its progress and its result. Not its payload, metadata or queue, and not
 * why it failed: messages of errors were written for whoever runs the program.
 */
export function jobView(job: JobRecord): JobView {
  const { id, status, progress, createdAt, startedAt, completedAt } = job
  const view = { id, status, progress, createdAt, startedAt, completedAt }
  return status === 'completed' ? { ...view, result: job.result } : view
}

/** Names what a client sees: equal for equal views, in every process. It is the event id, by which a stream is resumed. */
export function versionOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}
