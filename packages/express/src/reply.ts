import { validateHeaderName, validateHeaderValue } from 'node:http'
import { PgqError } from '@pgq/core'
import { integerOption, show } from '@pgq/core/options'
import type { Response } from 'express'

/** An answer that is not sent yet: what the work of a request came to. */
export interface ReplyInit {
  /** @default 200 */
  readonly status?: number
  /** Text in Latin-1, as HTTP has it: `encodeURI` a `Location`. What frames the message, such as Content-Length, is the server's. */
  readonly headers?: { readonly [name: string]: string }
  /** Anything that JSON can hold, and what turns itself into that, as a Date does. Left out: no body. */
  readonly body?: unknown
}

/** An answer ready to be sent, and to be stored: sent again it is the same to the byte. */
export interface Reply {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  /** The body as JSON text, or null for none. */
  readonly text: string | null
  /** Whether it is the answer of an earlier request with the same idempotency key. */
  readonly replayed: boolean
}

/** What is stored of a reply. The body is text, so that its members keep their order and its numbers their digits. */
export type StoredReply = {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly text: string | null
}

/** What `pgq.once` stores, in bytes of JSON. */
const MAX_BYTES = 1_048_576

/**
 * Fixes an answer as it will be sent.
 * @throws PgqError INVALID_OPTION for one that can't be sent or stored
 */
export function storedReply({ status = 200, headers = {}, body }: ReplyInit): StoredReply {
  integerOption('the status of a reply', status, 200, 599)
  // Before it is stored: what can't be sent would be committed, and fail again each time that it is asked for.
  for (const [name, value] of Object.entries(headers)) assertHeader(name, value)
  const text: string | undefined = JSON.stringify(body)
  const reply = { status, headers: { ...headers }, text: text ?? null }
  const bytes = Buffer.byteLength(JSON.stringify(reply))
  if (bytes <= MAX_BYTES) return reply
  throw new PgqError(
    'INVALID_OPTION',
    `the reply to an idempotent request has ${bytes} bytes as it is stored, and ${MAX_BYTES} is the most: answer with a link instead`,
  )
}

/** What frames a message or belongs to the connection: a server that sets these sends what the client can't read. */
const OF_THE_SERVER = /^(?:connection|content-length|keep-alive|trailer|transfer-encoding|upgrade)$/i

function assertHeader(name: string, value: unknown): void {
  if (OF_THE_SERVER.test(name)) throw badHeader(name, value, 'the server sets this one itself')
  if (typeof value !== 'string') throw badHeader(name, value, 'it must be text; leave out what has no value')
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  } catch (error) {
    throw badHeader(name, value, 'HTTP cannot send it. Use encodeURI for addresses', error)
  }
}

function badHeader(name: string, value: unknown, why: string, cause?: unknown): PgqError {
  const message = `the header ${show(name)} of a reply is ${show(value)}: ${why}`
  return new PgqError('INVALID_OPTION', message, { cause })
}

/** Sends a reply. What is a replay says so: `Idempotent-Replayed: true`. */
export function sendReply(res: Response, { status, headers, text, replayed }: Reply): void {
  res.status(status).set(headers)
  if (replayed) res.set('Idempotent-Replayed', 'true')
  if (text === null) res.end()
  // As bytes: Express parses the type of what is sent as text, and throws for one that it can't read.
  else (res.get('Content-Type') === undefined ? res.type('json') : res).send(Buffer.from(text))
}
