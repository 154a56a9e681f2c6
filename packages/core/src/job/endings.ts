import { type Duration, durationMs, LONGEST_MS } from '../runtime/duration.ts'

/**
 * What a handler throws to end its attempt in another way than failing. They are told by a brand, not by
 * `instanceof`: a second copy of the package, or a proxy, must not turn a snooze into a failure.
 */
const ENDING = Symbol.for('pgq.ending')

/** The ways to end an attempt on purpose. */
export type Ending =
  | { readonly kind: 'snooze'; readonly delayMs: number }
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'dead'; readonly reason: string }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly reason: string }
  | { readonly kind: 'rate-limit'; readonly delayMs: number; readonly scope: 'group' | 'queue' }

/** Puts the job off without spending an attempt: `throw new SnoozeJob('5m')`. */
export class SnoozeJob extends Error {
  override readonly name = 'SnoozeJob'
  readonly [ENDING]: Ending

  /** @param delay how long to wait, 0 to 100 years */
  constructor(delay: Duration) {
    super(`snoozed for ${delay}`)
    this[ENDING] = { kind: 'snooze', delayMs: durationMs('the delay of SnoozeJob', delay) }
  }
}

/** Stops the job for good, as `cancelled`, which is not a failure: `throw new CancelJob('the user is gone')`. */
export class CancelJob extends Error {
  override readonly name = 'CancelJob'
  readonly [ENDING]: Ending

  constructor(reason = 'cancelled by its handler') {
    super(reason)
    this[ENDING] = { kind: 'cancel', reason }
  }
}

/** Gives the job up at once, as `dead`, whatever attempts are left: `throw new DeadJob('not valid JSON')`. */
export class DeadJob extends Error {
  override readonly name = 'DeadJob'
  readonly [ENDING]: Ending

  constructor(reason = 'given up by its handler', options?: ErrorOptions) {
    super(reason, options)
    this[ENDING] = { kind: 'dead', reason }
  }
}

/** Fails the attempt and says itself when to try again: `throw new RetryJob({ after: '90s' })`. */
export class RetryJob extends Error {
  override readonly name = 'RetryJob'
  readonly [ENDING]: Ending

  constructor(options: { readonly after: Duration; readonly reason?: string; readonly cause?: unknown }) {
    const reason = options.reason ?? `to be tried again after ${options.after}`
    super(reason, options.cause === undefined ? undefined : { cause: options.cause })
    this[ENDING] = { kind: 'retry', delayMs: durationMs('after of RetryJob', options.after), reason }
  }
}

/** How long to hold back when nobody can tell, in ms. */
const UNTOLD_MS = 10_000

/**
 * Says that the job was turned away because there were too many: `throw new RateLimitJob({ retryAfter: response.headers.get('retry-after') })`.
 * The attempt is not spent, the job keeps its place, and nothing of its group is claimed until then (of its queue, if it has
 * no group or `scope` says so).
 */
export class RateLimitJob extends Error {
  override readonly name = 'RateLimitJob'
  readonly [ENDING]: Ending

  /**
   * @param options.retryAfter a duration, a time, or the header as it came: seconds or an HTTP date. 10 s when there is none or it cannot be read
   * @param options.scope what to hold back. @default 'group'
   */
  constructor(
    options: {
      readonly retryAfter?: number | Date | string | null
      readonly scope?: 'group' | 'queue'
    } = {},
  ) {
    const delayMs = retryAfterMs(options.retryAfter)
    super(`rate limited for ${delayMs} ms`)
    this[ENDING] = { kind: 'rate-limit', delayMs, scope: options.scope === 'queue' ? 'queue' : 'group' }
  }
}

/** Never throws: what another system answers must not turn into a failed attempt. */
function retryAfterMs(given: number | Date | string | null | undefined): number {
  const ms =
    given instanceof Date ? given.getTime() - Date.now() : typeof given === 'string' ? headerMs(given) : given
  return typeof ms === 'number' && Number.isFinite(ms)
    ? Math.min(Math.max(0, Math.ceil(ms)), LONGEST_MS)
    : UNTOLD_MS
}

/** A Retry-After header (RFC 9110, 10.2.3) or a duration. */
function headerMs(text: string): number {
  if (/^\s*\d+\s*$/.test(text)) return Number(text) * 1_000
  try {
    return durationMs('retryAfter', text as Duration)
  } catch {
    return Date.parse(text) - Date.now()
  }
}

/**
 * Reads the ending of a thrown value; undefined for everything that is simply an error. Never throws, and takes nothing
 * on trust: a proxy has every property one asks for, and another version may know other endings.
 */
export function endingOf(thrown: unknown): Ending | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  try {
    return ending((thrown as { readonly [ENDING]?: Ending })[ENDING])
  } catch {
    return undefined
  }
}

function ending(brand: Ending | undefined): Ending | undefined {
  switch (brand?.kind) {
    case 'snooze':
    case 'retry':
      return isDelay(brand.delayMs) ? { ...brand } : undefined
    case 'rate-limit':
      return isDelay(brand.delayMs) && (brand.scope === 'group' || brand.scope === 'queue')
        ? { ...brand }
        : undefined
    case 'cancel':
    case 'dead':
      return typeof brand.reason === 'string' ? { ...brand } : undefined
    default:
      return undefined
  }
}

const isDelay = (ms: number): boolean => Number.isFinite(ms) && ms >= 0 && ms <= LONGEST_MS
