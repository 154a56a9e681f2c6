import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A request of Node, with what frameworks add to it. */
export interface MountedRequest extends IncomingMessage {
  /** Where it is mounted. */
  readonly baseUrl?: string
  readonly originalUrl?: string
  /** What a body parser in front has made of the body. */
  readonly body?: unknown
}

/**
 * Answers a request of Node with what `answer` makes of it as a standard one. It never rejects: where there is no framework around, nobody
 * would catch that.
 */
export async function bridge(
  req: MountedRequest,
  res: ServerResponse,
  answer: (request: Request) => Promise<Response>,
): Promise<void> {
  const request = requestOf(req, res)
  const response = request ? await answer(request) : new Response(null, { status: 400 })
  await sendResponse(response, res)
}

/** As a standard request, whose signal aborts when the client is gone; undefined when it is none, as one to TRACE. */
function requestOf(req: MountedRequest, res: ServerResponse): Request | undefined {
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  const method = req.method ?? 'GET'
  const body = method === 'GET' || method === 'HEAD' ? undefined : bodyOf(req)
  try {
    return new Request(addressOf(req), {
      method,
      headers: headersOf(req),
      signal: gone.signal,
      ...(body !== undefined && { body, duplex: 'half' }),
    })
  } catch {
    return undefined
  }
}

/** The path is taken as it is: `//host` at its beginning is no other host. */
function addressOf(req: MountedRequest): string {
  const isTls = 'encrypted' in req.socket && req.socket.encrypted === true
  const { host } = req.headers
  const origin = `${isTls ? 'https' : 'http'}://${host !== undefined && URL.canParse(`http://${host}`) ? host : 'localhost'}`
  const path = req.originalUrl ?? req.url ?? '/'
  return path.startsWith('/') ? origin + path : path
}

function headersOf(req: MountedRequest): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(req.headers))
    if (value !== undefined && !name.startsWith(':')) headers.set(name, String(value))
  return headers
}

/** What a body parser in front has made of the body is turned back into JSON; else the body is what the client sends. */
function bodyOf(req: MountedRequest): ReadableStream<Uint8Array> | string {
  if (req.body === undefined) return Readable.toWeb(req) as ReadableStream<Uint8Array>
  return typeof req.body === 'string' ? req.body : JSON.stringify(req.body)
}

/** Sends it piece by piece. */
async function sendResponse(response: Response, res: ServerResponse): Promise<void> {
  const cookies = response.headers.getSetCookie()
  res.writeHead(response.status, {
    ...Object.fromEntries(response.headers),
    ...(cookies.length > 0 && { 'set-cookie': cookies }),
  })
  if (response.body === null || res.req.method === 'HEAD') {
    await response.body?.cancel()
    res.end()
    return
  }
  res.flushHeaders()
  try {
    await pipeline(Readable.fromWeb(response.body), res)
  } catch {
    // The client has gone away.
  }
}
