import { PgqError, show } from '../errors.ts'

/**
 * Checks a whole number against its bounds.
 * @throws PgqError INVALID_OPTION naming the option, the value and the bounds
 */
export function integerOption(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${show(value)}: it must be a whole number from ${min} to ${max}`,
  )
}

/**
 * Checks a number against its bounds.
 * @throws PgqError INVALID_OPTION naming the option, the value and the bounds
 */
export function numberOption(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${show(value)}: it must be a number from ${min} to ${max}`,
  )
}

/**
 * Checks a switch.
 * @throws PgqError INVALID_OPTION
 */
export function flagOption(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new PgqError('INVALID_OPTION', `${option} is ${show(value)}: it must be true or false`)
}

/**
 * Checks a function.
 * @throws PgqError INVALID_OPTION
 */
export function functionOption<F>(option: string, value: F): F {
  if (typeof value === 'function') return value
  throw new PgqError('INVALID_OPTION', `${option} is ${show(value)}: it must be a function`)
}

/**
 * Refuses misspelt options: a queue that silently ignores `maxAttemps` is a queue that retries the wrong number of times.
 * @throws PgqError INVALID_OPTION naming the option and the known ones
 */
export function knownOptions(what: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new PgqError('INVALID_OPTION', `${what} must be an object, not ${show(given)}`)
  }
  const unknown = Object.keys(given).find((key) => !known.includes(key))
  if (unknown !== undefined) {
    throw new PgqError(
      'INVALID_OPTION',
      `${what} has no option ${show(unknown)}; there are: ${known.join(', ')}`,
    )
  }
}

/** Text that PostgreSQL can hold: no NUL and no half of a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/**
 * Checks a text option: it must be non-empty, storable and within its length.
 * @throws PgqError INVALID_OPTION
 */
export function textOption(option: string, value: unknown, maxLength: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxLength) {
    throw new PgqError(
      'INVALID_OPTION',
      `${option} is ${show(value)}: it must be text of 1 to ${maxLength} characters`,
    )
  }
  if (isStorableText(value)) return value
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${show(value)}: PostgreSQL cannot store NUL or lone surrogates`,
  )
}
