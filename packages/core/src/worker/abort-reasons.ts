import { PgqError } from '../errors.ts'

/** The claim of an attempt is gone. */
export const leaseLost = (): PgqError =>
  new PgqError(
    'LEASE_LOST',
    'the claim of this attempt no longer stands: the job was rescued or changed by somebody else',
  )

/** Somebody has cancelled the job, and perhaps said why. */
export const jobCancelled = (reason: string | null): PgqError =>
  new PgqError(
    'JOB_CANCELLED',
    reason === null ? 'the job was cancelled' : `the job was cancelled: ${reason}`,
  )

/** The worker stops and has waited long enough. */
export const workerStopping = (): PgqError =>
  new PgqError('WORKER_STOPPING', 'the worker is stopping and could not wait any longer for this attempt')
