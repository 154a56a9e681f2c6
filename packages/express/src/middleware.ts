import { type Duration, type Pgq, PgqError } from '@pgq/core'
import { knownOptions } from '@pgq/core/options'
import express, { type Request, type RequestHandler } from 'express'
import { assertPgq } from './assert-pgq.ts'
import { type IdempotencyOptions, idempotencyOptions } from './idempotency/idempotency-options.ts'
import { RequestQueue } from './request-queue.ts'
import { retryAfterSeconds } from './retry-after.ts'
import { jobAddress, type StatusPath } from './status-path.ts'

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- this is how the types of Express are extended
  namespace Express {
    interface Request {
      /** The job queue, put here by `pgqMiddleware(pgq)`. Without that, reading it throws INVALID_OPTION and says what to add. */
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
  throw missing()
}

function missing(): PgqError {
  return new PgqError(
    'INVALID_OPTION',
    'this request has no queue: add app.use(pgqMiddleware(pgq)) before the routes that enqueue',
  )
}

/*
 * Requests are said to have a queue, so one without says what is missing, instead of "cannot read properties of undefined". All
 * applications of this copy of Express inherit from this object; in one of another copy `req.pgq` is undefined.
 */
Object.defineProperty(express.request, 'pgq', {
  configurable: true,
  get(): never {
    throw missing()
  },
  set(this: Request, value: RequestQueue) {
    Object.defineProperty(this, 'pgq', { value, writable: true, enumerable: true, configurable: true })
  },
})
