import type { PgqError, PgqErrorCode } from '../errors.ts'
import { jsonPointer } from './json-pointer.ts'
import { type Problem, problemType } from './problem.ts'

/** What is answered for an error. */
export interface ProblemDecision {
  readonly status: number
  readonly title: string
  readonly detail?: string
  /** Seconds after which trying again makes sense. */
  readonly retryAfter?: number
}

/** A mistake of the program. The client hears no more than that; the operator hears all. */
const OURS: ProblemDecision = { status: 500, title: 'Internal error' }
/** Nobody's mistake: it passes, or an operator makes it pass. */
const BUSY: ProblemDecision = { status: 503, title: 'Temporarily unavailable', retryAfter: 2 }
const NOT_READY: ProblemDecision = { status: 503, title: 'Temporarily unavailable', retryAfter: 10 }

/**
 * What is answered over HTTP for each error of pgq. Details are our own sentences: messages of errors may hold SQL, and names
 * that are no business of the client.
 */
export const PROBLEMS_BY_CODE: { readonly [Code in PgqErrorCode]: ProblemDecision } = {
  INVALID_PAYLOAD: {
    status: 422,
    title: 'The payload is not valid',
    detail: 'The members of "errors" say what is wrong, and where in the payload.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'The payload is too large',
    detail: 'Send less at once, or a reference to where the data is.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'The idempotency key was used for another request',
    detail: 'Use a new key for each request, and the same key only to send the very same request again.',
  },
  IDEMPOTENCY_KEY_IN_USE: {
    status: 409,
    title: 'A request with this idempotency key is being processed',
    detail: 'Try again in a moment: the answer will then be the one of the first request.',
    retryAfter: 1,
  },
  DATABASE_UNAVAILABLE: BUSY,
  DATABASE_CONFLICT: BUSY,
  CLOSED: BUSY,
  SCHEMA_MISSING: NOT_READY,
  SCHEMA_TOO_OLD: NOT_READY,
  SCHEMA_TOO_NEW: NOT_READY,
  SCHEMA_OCCUPIED: OURS,
  MIGRATION_CHANGED: OURS,
  DATABASE_REJECTED: OURS,
  TRANSACTION_CLOSED: OURS,
  INVALID_ID: {
    status: 400,
    title: 'Not the id of a job',
    detail: 'The id of a job is a UUID, such as 0193c8a2-7d3e-7f10-9c2b-5f0f6c1d2e3f.',
  },
  INVALID_OPTION: OURS,
  INVALID_QUEUE: OURS,
  INVALID_SCHEDULE: OURS,
  UNKNOWN_SCHEDULE: OURS,
  SCHEDULE_IN_CODE: OURS,
  DUPLICATE_HANDLER: OURS,
  // What follows happens to attempts, not to requests.
  PAYLOAD_REJECTED: OURS,
  INVALID_RESULT: OURS,
  JOB_TIMEOUT: OURS,
  JOB_CANCELLED: OURS,
  LEASE_LOST: OURS,
  WORKER_LOST: OURS,
  WORKER_STOPPING: OURS,
}

/** The problem of an error of pgq, with the seconds after which to try again, if that helps. */
export function problemOf(error: PgqError): { problem: Problem; retryAfter: number | undefined } {
  // A newer core may know codes that this package doesn't.
  const known = Object.hasOwn(PROBLEMS_BY_CODE, error.code) ? PROBLEMS_BY_CODE[error.code] : undefined
  const { retryAfter, ...said } = known ?? OURS
  const type = said === OURS ? 'internal-error' : nameOf(error.code, said)
  const errors = error.issues?.map(({ path, message }) => ({ pointer: jsonPointer(path), detail: message }))
  const problem = { type: problemType(type), ...said }
  return { problem: said.status < 500 && errors ? { ...problem, errors } : problem, retryAfter }
}

/** A code of the client's is told by name; the others only by what they mean for the client. */
function nameOf(code: PgqErrorCode, { status }: ProblemDecision): string {
  if (status < 500) return code.toLowerCase().replaceAll('_', '-')
  return status === 503 ? 'unavailable' : 'internal-error'
}
