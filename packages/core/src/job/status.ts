/** The statuses of a job, in the order of its life. */
export const JOB_STATUSES = ['pending', 'processing', 'failed', 'completed', 'dead', 'cancelled'] as const

/** Where a job stands, as users see it in `pgq.jobs.status`. */
export type JobStatus = (typeof JOB_STATUSES)[number]

/**
 * The one transition table: what a status may become. Every statement that changes a status is tested against it.
 * `processing → pending` is a release or a snooze, `processing → failed` an attempt that will be repeated (a rescue
 * included), and what leads out of `completed`, `dead` and `cancelled` is a person's or a program's retry.
 */
export const TRANSITIONS: { readonly [From in JobStatus]: readonly JobStatus[] } = {
  pending: ['processing', 'cancelled'],
  processing: ['pending', 'failed', 'completed', 'dead', 'cancelled'],
  failed: ['processing', 'pending', 'cancelled'],
  completed: [],
  dead: ['pending'],
  cancelled: ['pending'],
}

/** Whether a job in this status has come to its end: it was completed, died or was cancelled. */
export function hasEnded(status: JobStatus): boolean {
  return status === 'completed' || status === 'dead' || status === 'cancelled'
}
