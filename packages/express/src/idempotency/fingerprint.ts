import { createHash, type Hash } from 'node:crypto'
import { PgqError } from '@pgq/core'
import type { Request } from 'express'
import { IdempotencyKeyError } from './key-error.ts'

/**
 * What makes two requests the same one: the method, the path with its query, and the body as the body parser made it. The
 * order of members in a JSON object doesn't count.
 * @throws PgqError INVALID_OPTION where there is no parser for bodies: requests that differ would look the same;
 * IdempotencyKeyError for a body that the parsers leave alone (415), or that is nested too deeply (400)
 */
export function requestFingerprint(req: Request): string {
  if (req.body === undefined && hasBody(req)) {
    // A parser that passes a body by leaves `undefined` behind: what is missing then is nothing of the server's.
    if ('body' in req) throw new IdempotencyKeyError('notParsed')
    throw new PgqError(
      'INVALID_OPTION',
      'the body of a request with an Idempotency-Key was not read: add express.json() before, or give idempotency.fingerprint',
    )
  }
  const hash = createHash('sha256')
  hash.update(`${req.method}\n${req.originalUrl}\n`)
  addBody(hash, req.body)
  return hash.digest('base64url')
}

function hasBody(req: Request): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
}

function addBody(hash: Hash, body: unknown): void {
  if (body === undefined) hash.update('none')
  else if (body instanceof Uint8Array) hash.update('bytes\n').update(body)
  else hash.update('value\n').update(textOf(body))
}

function textOf(body: unknown): string {
  try {
    return JSON.stringify(body, inOrder) ?? ''
  } catch (error) {
    // The parser reads what is nested deeper than the stack is, and nothing writes that.
    throw error instanceof RangeError ? new IdempotencyKeyError('tooDeep') : error
  }
}

/** Arrays keep their order, members of objects are sorted. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  // No prototype: a member called __proto__ must be a member like any other.
  const sorted: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const key of Object.keys(value).toSorted()) sorted[key] = (value as Record<string, unknown>)[key]
  return sorted
}
