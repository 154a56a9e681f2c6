import { isPgqError, PgqError } from '@pgq/core'
import { functionOption, knownOptions } from '@pgq/core/options'
import { type Problem, problemOf, problemType } from '@pgq/core/problems'
import type { ErrorRequestHandler, Request } from 'express'
import { isDatabaseTrouble } from './database-trouble.ts'
import { isKeyError } from './idempotency/key-error.ts'
import { sendProblem } from './problem.ts'

/** Options of `problems`. */
export interface ProblemsOptions {
  /**
   * Told of every error that is answered with a status of 500 or more: the client hears nothing of what happened, so
   * somebody else should. @default writes it to the console, as Express does
   */
  readonly onError?: (error: unknown, req: Request) => void
}

/** What Express's body parsers refuse, by the `type` of their errors. The messages are not passed on: they quote the body. */
const BODY_ERRORS: { readonly [type: string]: { readonly status: number; readonly title: string } } = {
  'entity.parse.failed': { status: 400, title: 'The body is not what its Content-Type says' },
  'entity.too.large': { status: 413, title: 'The body is too large' },
  'entity.verify.failed': { status: 403, title: 'The body was not accepted' },
  'parameters.too.many': { status: 413, title: 'The body has too many parameters' },
  'querystring.parse.rangeError': { status: 400, title: 'The body is nested too deeply' },
  'request.aborted': { status: 400, title: 'The request was aborted' },
  'request.size.invalid': { status: 400, title: 'The length of the body is not its Content-Length' },
  'charset.unsupported': { status: 415, title: 'The charset of the body is not supported' },
  'encoding.unsupported': { status: 415, title: 'The Content-Encoding of the body is not supported' },
}

/**
 * The error middleware: answers errors of pgq and of the body parsers with RFC 9457 problem details, and those of a driver that say that the
 * database is away or busy, and passes everything else on. Add it after all routes. Details of errors with a status of 500 or more stay on the server.
 * @throws PgqError INVALID_OPTION
 */
export function problems(options: ProblemsOptions = {}): ErrorRequestHandler {
  knownOptions('problems', options, ['onError'])
  const tell = functionOption('onError', options.onError ?? ((error: unknown) => console.error(error)))
  return (error: unknown, req, res, next) => {
    const found = answerTo(error)
    if (found && found.problem.status >= 500) tell(error, req)
    // A response that has begun can only be broken off, which is what Express does with it.
    if (!found || res.headersSent) return next(error)
    sendProblem(res, found.problem, found.retryAfter)
  }
}

const UNAVAILABLE = new PgqError('DATABASE_UNAVAILABLE', 'said by a driver')

function answerTo(error: unknown): { problem: Problem; retryAfter: number | undefined } | undefined {
  if (isPgqError(error)) return problemOf(error)
  if (isKeyError(error)) return { problem: error.problem, retryAfter: undefined }
  const known = bodyProblem(error) ?? inflateProblem(error) ?? pathProblem(error)
  if (known) return { problem: known, retryAfter: undefined }
  // As if the statement had been one of pgq's.
  return isDatabaseTrouble(error) ? problemOf(UNAVAILABLE) : undefined
}

function bodyProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !('type' in error) || !('status' in error)) return undefined
  const { type } = error
  const known = typeof type === 'string' && Object.hasOwn(BODY_ERRORS, type) ? BODY_ERRORS[type] : undefined
  return known && { type: problemType('unreadable-body'), ...known }
}

/** A compressed body that is broken. The parsers pass zlib's error on with a status, and no `type`. */
function inflateProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error && 'status' in error && error.status === 400 && 'code' in error))
    return undefined
  if (typeof error.code !== 'string' || !/^(?:Z_|ERR_BROTLI_|ERR_ZSTD_|ERR__ERROR_)/.test(error.code))
    return undefined
  return {
    type: problemType('unreadable-body'),
    status: 400,
    title: 'The body is not what its Content-Encoding says',
  }
}

/** A path such as `/jobs/%zz`, which the router can't decode. */
function pathProblem(error: unknown): Problem | undefined {
  if (!(error instanceof URIError && 'status' in error && error.status === 400)) return undefined
  return {
    type: problemType('unreadable-path'),
    status: 400,
    title: 'The path of the request cannot be decoded',
  }
}
