import { PgqError } from '@pgq/core'
import { show } from '@pgq/core/options'

/**
 * Checks that something is a queue, as `createPgq` makes them; one of another copy of the package is fine.
 * @throws PgqError INVALID_OPTION
 */
export function assertPgq(what: string, pgq: unknown): void {
  if (typeof pgq === 'object' && pgq !== null && 'enqueue' in pgq && 'watch' in pgq) return
  throw new PgqError('INVALID_OPTION', `${what} was given ${show(pgq)}: it needs what createPgq(…) returned`)
}
