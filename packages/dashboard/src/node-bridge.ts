import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A request of Node as a standard one. Its signal aborts when the client is gone. */
export function requestOf(
  req: IncomingMessage & { readonly body?: unknown; readonly originalUrl?: string },
  res: ServerResponse,
): Request {
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  const headers = new Headers()
  for (const [name, value] of Object.entries(req.headers))
    if (value !== undefined && !name.startsWith(':')) headers.set(name, String(value))
  const isTls = 'encrypted' in req.socket && req.socket.encrypted === true
  const url = new URL(req.originalUrl ?? req.url ?? '/', `${isTls ? 'https' : 'http'}://${hostOf(req)}`)
  const method = req.method ?? 'GET'
  const body = method === 'GET' || method === 'HEAD' ? undefined : bodyOf(req)
  return new Request(url, {
    method,
    headers,
    signal: gone.signal,
    ...(body !== undefined && { body, duplex: 'half' }),
  })
}

/** Sends a standard response, piece by piece. */
export async function sendResponse(response: Response, res: ServerResponse): Promise<void> {
  res.writeHead(response.status, Object.fromEntries(response.headers))
  if (response.body === null || res.req.method === 'HEAD') {
    await response.body?.cancel()
    res.end()
    return
  }
  res.flushHeaders()
  try {
    await pipeline(Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]), res)
  } catch {
    // The client has gone away.
  }
}

/** What a body parser in front has made of the body is turned back into JSON; else the body is what the client sends. */
function bodyOf(req: IncomingMessage & { readonly body?: unknown }): ReadableStream<Uint8Array> | string | undefined {
  if (req.body === undefined) return Readable.toWeb(req) as ReadableStream<Uint8Array>
  return typeof req.body === 'string' ? req.body : JSON.stringify(req.body)
}

/** A host that no browser would send makes no address. */
function hostOf(req: IncomingMessage): string {
  const { host } = req.headers
  return host !== undefined && URL.canParse(`http://${host}`) ? host : 'localhost'
}
