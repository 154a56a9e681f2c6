import type { PgqError, PgqErrorCode } from '@pgq/core'
import { jsonPointer } from './json-pointer.ts'

/** The body of an error, as RFC 9457 has it: `application/problem+json`. */
export interface PgqProblem {
  /** Which kind of problem it is: `urn:problem-type:pgq:…`. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** What to do. */
  readonly detail?: string
  /** What is wrong with the payload: a JSON pointer into it as a URI fragment, `#/items/3/price`, and what is the matter there. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

/** What is answered for an error. */
interface Decision {
  readonly status: number
  readonly title: string
  readonly detail?: string
  /** Seconds after which trying again makes sense. */
  readonly retryAfter?: number
}

/** Nobody's mistake: it passes, or an operator makes it pass. */
const BUSY: Decision = { status: 503, title: 'Temporarily unavailable', retryAfter: 2 }
const NOT_READY: Decision = { status: 503, title: 'Temporarily unavailable', retryAfter: 10 }

/**
 * What is answered for which error; all others are mistakes of the program. Details are our own sentences: messages of errors may hold
 * SQL, and names that are no business of the client.
 */
const DECISIONS: { readonly [Code in PgqErrorCode]?: Decision } = {
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
  INVALID_ID: {
    status: 400,
    title: 'Not the id of a job',
    detail: 'The id of a job is a UUID, such as 0193c8a2-7d3e-7f10-9c2b-5f0f6c1d2e3f.',
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
}

/** What a client is told of an error of pgq; undefined when it is a mistake of the program, of which it hears nothing. */
export function problemOf(error: PgqError): { problem: PgqProblem; retryAfter?: number } | undefined {
  const decision = Object.hasOwn(DECISIONS, error.code) ? DECISIONS[error.code] : undefined
  if (!decision) return undefined
  const { retryAfter, ...said } = decision
  const name = said.status === 503 ? 'unavailable' : error.code.toLowerCase().replaceAll('_', '-')
  const issues = said.status < 500 ? error.issues : undefined
  const errors = issues?.map(({ path, message }) => ({ pointer: jsonPointer(path), detail: message }))
  const problem = { type: `urn:problem-type:pgq:${name}`, ...said, ...(errors && { errors }) }
  return { problem, ...(retryAfter !== undefined && { retryAfter }) }
}
