import type { Request } from 'express'

/** What a request says about its idempotency key. */
export type KeyHeader =
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'key'; readonly key: string }

/** Long enough for every kind of id, and short enough to be stored with each request. */
const MAX_LENGTH = 255

/** A string of RFC 8941: printable ASCII in quotes, where only quotes and backslashes are escaped. */
const QUOTED = /^"(?<text>(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
/** What most clients send instead: a token without quotes. A comma would be a second header. */
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/

/**
 * Reads `Idempotency-Key` as draft-ietf-httpapi-idempotency-key-header-07 has it. `"abc"` and `abc` are the same key.
 */
export function idempotencyKey(req: Request): KeyHeader {
  const header = req.get('Idempotency-Key')
  if (header === undefined) return { kind: 'missing' }
  const key = unquoted(header.trim())
  if (key === undefined || key.length === 0 || key.length > MAX_LENGTH) return { kind: 'malformed' }
  return { kind: 'key', key }
}

function unquoted(value: string): string | undefined {
  const quoted = QUOTED.exec(value)?.groups?.['text']
  if (quoted !== undefined) return quoted.replace(/\\(["\\])/g, '$1')
  return BARE.test(value) ? value : undefined
}
