import { PgqError, show } from '../errors.ts'
import { type Duration, LONGEST_MS, durationMs } from '../runtime/duration.ts'

/**
 * How long to wait before the next attempt, as data: this is what a row of `pgq.jobs` can carry.
 * All times are in ms; `attempt` counts from 1.
 */
export type BackoffSpec =
  | {
      readonly type: 'exponential'
      readonly baseMs: number
      readonly factor: number
      readonly maxMs: number
      readonly jitter: number
    }
  | { readonly type: 'linear'; readonly stepMs: number; readonly maxMs: number; readonly jitter: number }
  | { readonly type: 'fixed'; readonly delayMs: number; readonly jitter: number }
  | { readonly type: 'list'; readonly delaysMs: readonly number[]; readonly jitter: number }

/** Decides the delay from the attempt that just failed (1, 2, …) and its error. */
export type BackoffFunction = (attempt: number, error: unknown) => Duration

/** A retry policy: a spec made by `exponential`, `linear`, `fixed` or `list`, or a function. */
export type Backoff = BackoffSpec | BackoffFunction

interface JitterOption {
  /** The most that is added on top, as a share of the delay, 0 to 1. @default 0.1 */
  readonly jitter?: number
}

/** `base × factor^(attempt − 1)`, at most `max`. Defaults give 2, 4, 8, 16 … seconds, up to an hour. */
export function exponential(
  options: JitterOption & {
    readonly base?: Duration
    readonly factor?: number
    readonly max?: Duration
  } = {},
): BackoffSpec {
  const { base = '2s', factor = 2, max = '1h' } = options
  if (!(typeof factor === 'number' && factor >= 1 && factor <= 100)) {
    throw new PgqError('INVALID_OPTION', `factor is ${show(factor)}: it must be a number from 1 to 100`)
  }
  return {
    type: 'exponential',
    baseMs: durationMs('base', base),
    factor,
    maxMs: durationMs('max', max),
    jitter: jitterShare(options.jitter),
  }
}

/** `step × attempt`, at most `max` (default one hour). */
export function linear(
  options: JitterOption & { readonly step: Duration; readonly max?: Duration },
): BackoffSpec {
  return {
    type: 'linear',
    stepMs: durationMs('step', options.step),
    maxMs: durationMs('max', options.max ?? '1h'),
    jitter: jitterShare(options.jitter),
  }
}

/** The same delay each time. */
export function fixed(delay: Duration, options: JitterOption = {}): BackoffSpec {
  return { type: 'fixed', delayMs: durationMs('delay', delay), jitter: jitterShare(options.jitter) }
}

/** One delay for each failed attempt; the last one repeats. */
export function list(delays: readonly Duration[], options: JitterOption = {}): BackoffSpec {
  if (!Array.isArray(delays) || delays.length === 0 || delays.length > 100) {
    throw new PgqError('INVALID_OPTION', `a backoff list needs 1 to 100 delays, not ${show(delays)}`)
  }
  const delaysMs = delays.map((delay: Duration, index) => durationMs(`delay ${index + 1}`, delay))
  return { type: 'list', delaysMs, jitter: jitterShare(options.jitter) }
}

/** 2, 4, 8 … seconds, up to an hour, and up to 10% on top. */
export const DEFAULT_BACKOFF: BackoffSpec = exponential()

/** The delay in ms after the given failed attempt (1, 2, …). `random` is in [0, 1). Never throws for a spec. */
export function backoffMs(
  backoff: Backoff,
  attempt: number,
  error: unknown,
  random: number = Math.random(),
): number {
  if (typeof backoff === 'function')
    return durationMs('the delay that a backoff function returned', backoff(attempt, error))
  const plain = plainMs(backoff, Math.max(1, attempt))
  return Math.min(LONGEST_MS, Math.round(plain * (1 + backoff.jitter * random)))
}

function plainMs(spec: BackoffSpec, attempt: number): number {
  switch (spec.type) {
    case 'exponential':
      // 0 × ∞ is no number.
      return spec.baseMs === 0 ? 0 : Math.min(spec.maxMs, spec.baseMs * spec.factor ** (attempt - 1))
    case 'linear':
      return Math.min(spec.maxMs, spec.stepMs * attempt)
    case 'fixed':
      return spec.delayMs
    case 'list':
      return spec.delaysMs[Math.min(attempt, spec.delaysMs.length) - 1] ?? 0
  }
}

function jitterShare(share = 0.1): number {
  if (typeof share === 'number' && share >= 0 && share <= 1) return share
  throw new PgqError('INVALID_OPTION', `jitter is ${show(share)}: it must be a number from 0 to 1`)
}

/** Tells a spec from anything else; rows can be written by hand, so what they carry is checked before it is used. */
export function isBackoffSpec(value: unknown): value is BackoffSpec {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false
  const spec = value as Record<string, unknown>
  const ms = (name: string): boolean => isMs(spec[name])
  if (!(typeof spec['jitter'] === 'number' && spec['jitter'] >= 0 && spec['jitter'] <= 1)) return false
  if (spec['type'] === 'exponential')
    return ms('baseMs') && ms('maxMs') && typeof spec['factor'] === 'number' && spec['factor'] >= 1
  if (spec['type'] === 'linear') return ms('stepMs') && ms('maxMs')
  if (spec['type'] === 'fixed') return ms('delayMs')
  return (
    spec['type'] === 'list' &&
    Array.isArray(spec['delaysMs']) &&
    spec['delaysMs'].length > 0 &&
    spec['delaysMs'].every(isMs)
  )
}

function isMs(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= LONGEST_MS
}

/**
 * Checks a retry policy that was given as an option.
 * @throws PgqError INVALID_OPTION
 */
export function backoffOption(value: unknown): Backoff {
  if (typeof value === 'function') return value as BackoffFunction
  if (isBackoffSpec(value)) return specOf(value)
  throw new PgqError(
    'INVALID_OPTION',
    `backoff is ${show(value)}: use exponential(), linear(), fixed(), list(), or a function (attempt, error) => duration`,
  )
}

/** The spec without whatever else the object held. */
function specOf(spec: BackoffSpec): BackoffSpec {
  const { jitter } = spec
  switch (spec.type) {
    case 'exponential':
      return { type: spec.type, baseMs: spec.baseMs, factor: spec.factor, maxMs: spec.maxMs, jitter }
    case 'linear':
      return { type: spec.type, stepMs: spec.stepMs, maxMs: spec.maxMs, jitter }
    case 'fixed':
      return { type: spec.type, delayMs: spec.delayMs, jitter }
    case 'list':
      return { type: spec.type, delaysMs: [...spec.delaysMs], jitter }
  }
}
