import { PgqError } from '@pgq/core'
import { integerOption } from '@pgq/core/options'
import type { Response } from 'express'

/** An answer that is not sent yet: what the work of a request came to. */
export interface ReplyInit {
  /** @default 200 */
  readonly status?: number
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
  const text: string | undefined = JSON.stringify(body)
  const reply = { status, headers: { ...headers }, text: text ?? null }
  const bytes = Buffer.byteLength(JSON.stringify(reply))
  if (bytes <= MAX_BYTES) return reply
  throw new PgqError(
    'INVALID_OPTION',
    `the reply to an idempotent request has ${bytes} bytes as it is stored, and ${MAX_BYTES} is the most: answer with a link instead`,
  )
}

/** Sends a reply. What is a replay says so: `Idempotent-Replayed: true`. */
export function sendReply(res: Response, { status, headers, text, replayed }: Reply): void {
  res.status(status).set(headers)
  if (replayed) res.set('Idempotent-Replayed', 'true')
  if (text === null) res.end()
  else (res.get('Content-Type') === undefined ? res.type('json') : res).send(text)
}
