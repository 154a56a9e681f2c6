import { type Duration, durationMs, type Pgq, PgqError } from '@pgq/core'
import type { Request, RequestHandler } from 'express'
import { type IdempotencyOptions, idempotencyOptions } from './idempotency/idempotency-options.ts'
import { knownOptions, shown } from './options.ts'
import { RequestQueue } from './request-queue.ts'
import { jobAddress, type StatusPath } from './status-path.ts'

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- this is how the types of Express are extended
  namespace Express {
    interface Request {
      /** The job queue, put here by `pgqMiddleware(pgq)`. */
      pgq: RequestQueue
    }
  }
}

/** Options of `pgqMiddleware`. */
export interface PgqMiddlewareOptions {
  /**
   * Where clients find `jobStatusRouter`: a path counted from where this middleware is mounted, a URL, or a function of the
   * request. @default /jobs
   */
  readonly statusPath?: StatusPath
  /** When a client should look at its job for the first time, told in whole seconds, 1 s at least. @default 2s */
  readonly retryAfter?: Duration
  /** How `req.pgq.idempotent` treats `Idempotency-Key`. There is no default for whose key it is. */
  readonly idempotency?: IdempotencyOptions
}

/**
 * Sets `req.pgq`. Add it before the routes that enqueue.
 * @throws PgqError INVALID_OPTION
 */
export function pgqMiddleware(pgq: Pgq, options: PgqMiddlewareOptions = {}): RequestHandler {
  assertPgq('pgqMiddleware', pgq)
  knownOptions('pgqMiddleware', options, ['statusPath', 'retryAfter', 'idempotency'])
  const { statusPath = '/jobs', retryAfter = '2s' } = options
  const deps = {
    pgq,
    addressOf: jobAddress(statusPath),
    retryAfterSeconds: retryAfterSeconds(retryAfter),
    idempotency: options.idempotency && idempotencyOptions(options.idempotency),
  }
  return (req, _res, next) => {
    req.pgq = new RequestQueue({ ...deps, req, mountedAt: req.baseUrl })
    next()
  }
}

/**
 * The queue of a request, for code that can't be sure that the middleware has run.
 * @throws PgqError INVALID_OPTION when it has not
 */
export function getPgq(req: Request): RequestQueue {
  const { pgq } = req as { pgq?: RequestQueue }
  if (pgq !== undefined) return pgq
  throw new PgqError(
    'INVALID_OPTION',
    'this request has no queue: add app.use(pgqMiddleware(pgq)) before the routes that enqueue',
  )
}

/** A duration as the header wants it. */
export function retryAfterSeconds(value: Duration): number {
  return Math.max(1, Math.ceil(durationMs('retryAfter', value) / 1_000))
}

/**
 * Checks that something is a queue, as `createPgq` makes them; one of another copy of the package is fine.
 * @throws PgqError INVALID_OPTION
 */
export function assertPgq(what: string, pgq: unknown): void {
  if (typeof pgq === 'object' && pgq !== null && 'enqueue' in pgq && 'watch' in pgq) return
  throw new PgqError('INVALID_OPTION', `${what} was given ${shown(pgq)}: it needs what createPgq(…) returned`)
}
