import { type Duration, durationMs, PgqError } from '@pgq/core'
import { flagOption, functionOption, knownOptions, show } from '@pgq/core/options'
import type { Request } from 'express'

/** How requests with an `Idempotency-Key` are treated. */
export interface IdempotencyOptions {
  /**
   * Whose key it is: one caller never gets the answer that was given to another. The id of the user or the tenant; the same
   * text for everyone only where all callers may see all answers.
   */
  readonly scope: string | ((req: Request) => string)
  /** Whether a request without the header is refused, with 400. @default false */
  readonly required?: boolean
  /** How long an answer is remembered, 1 s to 365 d. @default 24h */
  readonly ttl?: Duration
  /** What makes two requests the same one. @default a hash of the method, the path with its query, and `req.body` */
  readonly fingerprint?: (req: Request) => string
}

const TTL = { min: 1_000, max: 31_536_000_000 }

/**
 * Checks the options.
 * @throws PgqError INVALID_OPTION
 */
export function idempotencyOptions(options: IdempotencyOptions): IdempotencyOptions {
  knownOptions('idempotency', options, ['scope', 'required', 'ttl', 'fingerprint'])
  if (typeof options.scope !== 'function') scopeText(options.scope)
  if (options.required !== undefined) flagOption('idempotency.required', options.required)
  if (options.ttl !== undefined) durationMs('idempotency.ttl', options.ttl, TTL)
  if (options.fingerprint !== undefined) functionOption('idempotency.fingerprint', options.fingerprint)
  return options
}

/**
 * The scope of a request. No text at all would put every caller that isn't known into one.
 * @throws PgqError INVALID_OPTION
 */
export function scopeOf(options: IdempotencyOptions, req: Request): string {
  return scopeText(typeof options.scope === 'function' ? options.scope(req) : options.scope)
}

function scopeText(scope: unknown): string {
  if (typeof scope === 'string' && scope !== '') return scope
  throw new PgqError(
    'INVALID_OPTION',
    `idempotency.scope is ${show(scope)}: it must say who the caller is, as in (req) => req.user.id`,
  )
}
