import { respond } from '../responses.ts'
import type { WireProgress } from '../wire.ts'

/** What is done by then is answered at once, in ms. */
const SOON_MS = 1_000
/** How often it is said how far it is, in ms: proxies close what is silent. */
const EVERY_MS = 500

/**
 * Answers with what comes of some work. When that takes longer it answers at once instead, with a line of JSON every now and then which says how far it is, and
 * what came of it as the last.
 */
export async function reported(
  work: (onProgress: (jobs: number) => void) => Promise<Response>,
): Promise<Response> {
  let soFar = 0
  const done = work((jobs) => (soFar = jobs))
  const isSoon = await Promise.race([done.then(() => true), delay(SOON_MS)])
  if (isSoon) return done
  let timer: NodeJS.Timeout | undefined
  const source = {
    start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const say = (line: string): void => controller.enqueue(new TextEncoder().encode(`${line}\n`))
      timer = setInterval(() => say(JSON.stringify({ soFar } satisfies WireProgress)), EVERY_MS)
      const end = async (): Promise<void> => {
        const result = await (await done).text()
        if (timer === undefined) return
        clearInterval(timer)
        say(result)
        controller.close()
      }
      void end()
    },
    cancel: () => {
      clearInterval(timer)
      timer = undefined
    },
  }
  const lines = new ReadableStream<Uint8Array>(source)
  return respond(200, lines, {
    'Content-Type': 'application/x-ndjson; charset=utf-8',
    'X-Accel-Buffering': 'no',
  })
}

const delay = (ms: number): Promise<false> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(false), ms).unref()
  })
