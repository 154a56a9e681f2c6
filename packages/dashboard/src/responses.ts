import { isPgqError, type PgqErrorCode } from '@pgq/core'
import type { WireProblem } from './wire.ts'

/** Goes with everything: nothing but our own script and style, in nobody's frame, kept by nobody, and of no other type than it says. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'self'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/** A response that is safe to show. */
export function respond(
  status: number,
  body: ConstructorParameters<typeof Response>[0],
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(body, {
    status,
    headers: { 'Cache-Control': 'no-store', ...headers, ...SECURITY_HEADERS },
  })
}

/** JSON that is no HTML, whoever reads it as such. */
export const json = (value: unknown, status = 200): Response =>
  respond(status, JSON.stringify(value), { 'Content-Type': 'application/json; charset=utf-8' })

/** A page for people. */
export const html = (text: string, status = 200): Response =>
  respond(status, text, { 'Content-Type': 'text/html; charset=utf-8' })

export const problem = (status: number, title: string, code?: string): Response =>
  json({ title, ...(code !== undefined && { code }) } satisfies WireProblem, status)

/** What a caller did wrong, by code; all else is our trouble. */
const STATUS: { readonly [Code in PgqErrorCode]?: number } = {
  INVALID_OPTION: 400,
  INVALID_ID: 400,
  INVALID_QUEUE: 400,
  UNKNOWN_SCHEDULE: 404,
  DATABASE_UNAVAILABLE: 503,
  DATABASE_CONFLICT: 503,
  CLOSED: 503,
}

/** Says what went wrong. The details of what is not the caller's fault stay here. */
export function problemOf(error: unknown): Response {
  if (error instanceof BadRequest) return problem(error.status, error.message)
  const code = isPgqError(error) ? error.code : undefined
  const status = code === undefined ? 500 : (STATUS[code] ?? 500)
  if (code !== undefined && status < 500) return problem(status, (error as Error).message, code)
  const timedOut = isPgqError(error) && error.sqlState === '57014'
  if (timedOut)
    return problem(503, 'This took too long. Name a queue, a status or a time to look at less.', code)
  return problem(
    status,
    status === 503 ? 'The database cannot be reached at the moment.' : 'Something went wrong.',
    code,
  )
}

/** A request that cannot be answered, with the reason. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest'
  readonly status: number

  constructor(message: string, status = 400) {
    super(message)
    this.status = status
  }
}
