import { PgqError } from '../errors.ts'

/** The reason given to attempts that have to end because their claim is gone. */
export const leaseLost = (): PgqError =>
  new PgqError(
    'LEASE_LOST',
    'the claim of this attempt no longer stands: the job was rescued or changed by somebody else',
  )
