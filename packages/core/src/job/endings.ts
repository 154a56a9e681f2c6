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
      return Number.isFinite(brand.delayMs) && brand.delayMs >= 0 && brand.delayMs <= LONGEST_MS
        ? { ...brand }
        : undefined
    case 'cancel':
    case 'dead':
      return typeof brand.reason === 'string' ? { ...brand } : undefined
    default:
      return undefined
  }
}
