import { PgqError, show } from '../errors.ts'

/** The units a duration may be written in. */
export type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd'

/** A length of time: milliseconds as a number, or text such as `'30s'`, `'1.5h'`, `'7d'`. */
export type Duration = number | `${number}${DurationUnit}`

const MS: Record<DurationUnit, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** The longest duration that is accepted: 100 years, in ms. It keeps every sum within what PostgreSQL's timestamps hold. */
export const LONGEST_MS: number = 100 * 365.25 * MS.d

/** Bounds for `durationMs`, in ms. */
export interface DurationBounds {
  /** @default 0 */
  readonly min?: number
  /** @default 100 years */
  readonly max?: number
}

/**
 * Turns a duration into whole milliseconds.
 * @throws PgqError INVALID_OPTION naming the option and the value
 */
export function durationMs(option: string, value: Duration, bounds: DurationBounds = {}): number {
  const { min = 0, max = LONGEST_MS } = bounds
  const ms = typeof value === 'number' ? value : parse(value)
  if (!Number.isFinite(ms)) {
    throw new PgqError(
      'INVALID_OPTION',
      `${option} is ${show(value)}: give milliseconds as a number, or text such as '30s', '5m', '1h', '7d'`,
    )
  }
  if (ms < min || ms > max) {
    throw new PgqError(
      'INVALID_OPTION',
      `${option} is ${show(value)}: it must be between ${min} and ${max} ms`,
    )
  }
  return Math.round(ms)
}

function parse(text: unknown): number {
  const match = typeof text === 'string' ? PATTERN.exec(text) : null
  return match ? Number(match[1]) * MS[match[2] as DurationUnit] : Number.NaN
}
