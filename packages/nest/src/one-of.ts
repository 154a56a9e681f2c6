import { PgqError } from '@pgq/core'
import { show } from '@pgq/core/options'

/**
 * Checks that an option is one of those that there are.
 * @throws PgqError INVALID_OPTION
 */
export function oneOf<T>(option: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${show(value)}: it must be one of ${allowed.map(show).join(', ')}`,
  )
}
