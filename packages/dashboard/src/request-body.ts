import { BadRequest } from './responses.ts'

/** A request that changes something is not longer than this, in bytes. */
const MOST_BYTES = 256 * 1_024

/**
 * The JSON object that a request carries. What is longer than a request of ours ever is, is not read to its end.
 * @throws BadRequest
 */
export async function readBody(request: Request): Promise<Record<string, unknown>> {
  const text = await readText(request)
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null && !Array.isArray(body))
      return body as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new BadRequest('the request must be a JSON object')
}

async function readText({ body }: Request): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MOST_BYTES) throw new BadRequest('the request is too large', 413)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
