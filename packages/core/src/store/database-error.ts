import { isPgqError, PgqError, type PgqErrorCode, show } from '../errors.ts'

/** SQLSTATEs that have a meaning of their own here. Others go by their class, the first two characters. */
const BY_STATE: Record<string, PgqErrorCode> = {
  '3F000': 'SCHEMA_MISSING',
  '42P01': 'SCHEMA_MISSING',
  '42883': 'SCHEMA_MISSING',
  '40001': 'DATABASE_CONFLICT',
  '40P01': 'DATABASE_CONFLICT',
  '55P03': 'DATABASE_CONFLICT',
  '55006': 'DATABASE_CONFLICT',
  '57014': 'DATABASE_UNAVAILABLE', // cancelled, as by a statement_timeout
  '57P01': 'DATABASE_UNAVAILABLE',
  '57P02': 'DATABASE_UNAVAILABLE',
  '57P03': 'DATABASE_UNAVAILABLE',
  '57P05': 'DATABASE_UNAVAILABLE',
  '25006': 'DATABASE_UNAVAILABLE', // read-only: the primary has moved
  '25P03': 'DATABASE_UNAVAILABLE', // idle in transaction for too long
  '25P04': 'DATABASE_UNAVAILABLE',
  '58000': 'DATABASE_UNAVAILABLE',
  '58030': 'DATABASE_UNAVAILABLE',
  PQ001: 'TRANSACTION_CLOSED',
}
const BY_CLASS: Record<string, PgqErrorCode> = {
  '08': 'DATABASE_UNAVAILABLE',
  '28': 'DATABASE_UNAVAILABLE',
  '3D': 'DATABASE_UNAVAILABLE',
  '53': 'DATABASE_UNAVAILABLE', // out of disk, memory or connections
}

/** What Node and the driver say when the connection is the problem; they give no SQLSTATE. */
const CONNECTION = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'EMFILE',
  'ENFILE',
  'EPERM',
  'EACCES',
  'EADDRNOTAVAIL',
])
const CONNECTION_MESSAGE = /connection|terminated|timeout|not queryable|socket/i

/** Turns whatever a driver threw into a PgqError with the driver's as its cause. */
export function databaseError(error: unknown, doing: string, schema: string): PgqError {
  if (isPgqError(error)) return error
  const sqlState = sqlStateOf(error)
  let code = codeOf(error, sqlState)
  // What a trigger or a handler of the application misses is not our schema.
  if (code === 'SCHEMA_MISSING' && !messageOf(error).includes(schema)) code = 'DATABASE_REJECTED'
  const options = sqlState === undefined ? { cause: error } : { cause: error, sqlState }
  return new PgqError(code, explain(code, error, doing, schema), options)
}

/** Whether doing the same again may succeed. */
export function isRetryable(error: unknown): boolean {
  return isPgqError(error, 'DATABASE_UNAVAILABLE') || isPgqError(error, 'DATABASE_CONFLICT')
}

/** The five characters of PostgreSQL's error code, if the error came from the server; adapters may have wrapped it. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let depth = 0, at = error; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    // Node's own codes begin with E, which no SQLSTATE does.
    if ('code' in at && typeof at.code === 'string' && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(at.code))
      return at.code
    at = 'cause' in at ? at.cause : undefined
  }
  return undefined
}

function codeOf(error: unknown, sqlState: string | undefined): PgqErrorCode {
  if (sqlState !== undefined)
    return BY_STATE[sqlState] ?? BY_CLASS[sqlState.slice(0, 2)] ?? 'DATABASE_REJECTED'
  if (!(error instanceof Error)) return 'DATABASE_REJECTED'
  const nodeCode = 'code' in error ? error.code : undefined
  if (typeof nodeCode === 'string' && CONNECTION.has(nodeCode)) return 'DATABASE_UNAVAILABLE'
  if (/after calling end on the pool/.test(error.message)) return 'CLOSED'
  if (error instanceof AggregateError || CONNECTION_MESSAGE.test(error.message)) return 'DATABASE_UNAVAILABLE'
  return 'DATABASE_REJECTED'
}

function explain(code: PgqErrorCode, error: unknown, doing: string, schema: string): string {
  const said = messageOf(error)
  switch (code) {
    case 'SCHEMA_MISSING':
      return `cannot ${doing}: the schema ${JSON.stringify(schema)} is not (wholly) in this database (${said}). Run pgq.migrate(), or check the connection and the schema option`
    case 'CLOSED':
      return `cannot ${doing}: the pool was closed`
    case 'DATABASE_UNAVAILABLE':
      return `cannot ${doing}: the database is not available (${said})`
    default:
      return `cannot ${doing}: ${said}`
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  return error instanceof Error && error.message ? error.message : show(error)
}
