/**
 * Every error that pgq throws or hands to a listener. Match on `code`: it is stable, and it survives two
 * copies of the package in one process, which `instanceof` does not.
 */

/** The codes, with what each one means. */
export const ERROR_CODES = {
  INVALID_OPTION: 'an option is out of range or of the wrong type',
  INVALID_ID: 'something that is not the id of a job',
  INVALID_QUEUE: 'something that is not a queue definition, or a queue name that cannot be used',
  INVALID_PAYLOAD: 'the payload cannot be stored as JSON, or the schema of its queue refuses it',
  PAYLOAD_TOO_LARGE: 'the payload is larger than maxPayloadBytes',
  INVALID_SCHEDULE: 'a cron expression, a time zone or another rule of a schedule that cannot be used',
  UNKNOWN_SCHEDULE: 'there is no schedule of that name',
  SCHEDULE_IN_CODE: 'the schedule is declared in code, so only code can change it',
  DUPLICATE_HANDLER: 'one worker was given two handlers for the same queue',
  TRANSACTION_CLOSED: 'the transaction that a call was made in has already ended',
  IDEMPOTENCY_KEY_REUSED: 'the idempotency key was used before, for something else',
  IDEMPOTENCY_KEY_IN_USE: 'another transaction works on the same idempotency key right now',
  CLOSED: 'the pgq instance was closed',
  SCHEMA_MISSING: 'the pgq schema is not in this database',
  SCHEMA_OCCUPIED: 'a schema of that name exists and belongs to something else',
  SCHEMA_TOO_OLD: 'the schema is older than this version of the package needs',
  SCHEMA_TOO_NEW: 'the schema is newer than this version of the package can work with',
  MIGRATION_CHANGED: 'an applied migration differs from the one that this package holds',
  DATABASE_UNAVAILABLE: 'the database cannot be reached, or went away during the call',
  DATABASE_CONFLICT: 'the database asks for the transaction to be run again',
  DATABASE_REJECTED: 'the database refused the statement',
  PAYLOAD_REJECTED: 'a claimed job has a payload that the schema of its queue refuses',
  INVALID_RESULT: 'a handler of chunks returned something that is not one result for each of its jobs',
  JOB_TIMEOUT: 'an attempt ran longer than its timeout',
  JOB_CANCELLED: 'the job was cancelled while it ran',
  LEASE_LOST: 'the claim is no longer ours: the job was rescued, moved or taken by hand',
  WORKER_LOST: 'the worker that ran the attempt died or stalled',
  WORKER_STOPPING: 'the worker is stopping and the attempt did not end in time',
} as const

/** A stable name for what went wrong. */
export type PgqErrorCode = keyof typeof ERROR_CODES

/** What else is known about an error. */
export interface PgqErrorOptions {
  /** The error underneath, if there is one. */
  readonly cause?: unknown
  /** PostgreSQL's SQLSTATE, when the database said no. */
  readonly sqlState?: string
  /** One entry for each thing that is wrong with a payload: where it is, and what is the matter. */
  readonly issues?: readonly PayloadIssue[]
}

/** One thing that is wrong with a payload. */
export interface PayloadIssue {
  /** The place in the payload, as in `$.items[3].price`. */
  readonly path: string
  readonly message: string
}

/** The one error class of pgq. */
export class PgqError extends Error {
  override readonly name = 'PgqError'
  readonly code: PgqErrorCode
  // Declared only: an error that has none is printed without.
  declare readonly sqlState?: string
  declare readonly issues?: readonly PayloadIssue[]

  constructor(code: PgqErrorCode, message: string, options: PgqErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    if (options.sqlState !== undefined) this.sqlState = options.sqlState
    if (options.issues !== undefined) this.issues = options.issues
  }
}

/**
 * Tells a PgqError by its shape, so that one from another copy of the package is recognised too. Takes anything at all:
 * handlers may throw proxies and objects whose getters throw.
 */
export function isPgqError(error: unknown, code?: PgqErrorCode): error is PgqError {
  try {
    if (!(error instanceof Error) || error.name !== 'PgqError' || !('code' in error)) return false
    return code === undefined || error.code === code
  } catch {
    return false
  }
}

/** Renders a rejected value for a message: short, on one line, never throwing. */
export function show(value: unknown): string {
  try {
    if (typeof value === 'string')
      return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
    if (typeof value === 'bigint') return `${value}n`
    if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`
    if (typeof value === 'object' && value !== null) return describeObject(value)
    return String(value)
  } catch {
    return `a value of type ${typeof value}`
  }
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== 'Object' ? `a ${name}` : 'an object'
}
