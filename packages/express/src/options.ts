import { PgqError } from '@pgq/core'

/**
 * Refuses options that do not exist: a misspelt one would be without effect and without a word.
 * @throws PgqError INVALID_OPTION
 */
export function knownOptions(what: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new PgqError('INVALID_OPTION', `${what} takes an object of options, not ${shown(given)}`)
  }
  const unknown = Object.keys(given).find((key) => !known.includes(key))
  if (unknown === undefined) return
  throw new PgqError(
    'INVALID_OPTION',
    `${what} has no option ${shown(unknown)}; there are: ${known.join(', ')}`,
  )
}

/**
 * Checks a whole number.
 * @throws PgqError INVALID_OPTION
 */
export function integerOption(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${shown(value)}: it must be a whole number from ${min} to ${max}`,
  )
}

/**
 * Checks an optional function.
 * @throws PgqError INVALID_OPTION
 */
export function functionOption(option: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return
  throw new PgqError('INVALID_OPTION', `${option} is ${shown(value)}: it must be a function`)
}

/** A rejected value for a message: short, and never throwing. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}
