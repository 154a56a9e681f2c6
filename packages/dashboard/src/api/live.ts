import { respond } from '../responses.ts'
import type { Visit } from '../visit.ts'

/** After so long the browser has to connect again, and is asked again who it is. In ms. */
const LONGEST_MS = 5 * 60_000
/** So many messages wait for somebody who is slow. */
const MOST_UNREAD = 8
/** Proxies close what is silent. In ms. */
const HEARTBEAT_MS = 15_000

/** What changes, as server-sent events: `queues` with how they stand, or `trouble`, and `job` whenever the job in question has changed. */
export function getLive(visit: Visit): Response {
  const jobId = visit.url.searchParams.get('job')
  const gone = AbortSignal.any([visit.request.signal, AbortSignal.timeout(LONGEST_MS), visit.closed])
  let stop: (() => void) | undefined
  const source = {
    start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
      stop = feed(visit, controller, jobId, gone)
    },
    cancel: () => stop?.(),
  }
  const stream = new ReadableStream(source, new CountQueuingStrategy({ highWaterMark: MOST_UNREAD }))
  return respond(200, stream, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  })
}

function feed(
  { pgq, feed: live }: Visit,
  controller: ReadableStreamDefaultController<Uint8Array>,
  jobId: string | null,
  gone: AbortSignal,
): () => void {
  const encoder = new TextEncoder()
  const left = new AbortController()
  // Somebody who doesn't read gets nothing more until they do: every message says all there is to say.
  const send = (text: string): void => {
    if (!left.signal.aborted && (controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(text))
  }
  const stop = (): void => {
    if (left.signal.aborted) return
    left.abort()
    clearInterval(heartbeat)
    unwatch()
    gone.removeEventListener('abort', end)
  }
  const end = (): void => {
    if (left.signal.aborted) return
    stop()
    controller.close()
  }
  send('retry: 2000\n\n')
  const heartbeat = setInterval(() => send(':\n\n'), HEARTBEAT_MS)
  const unwatch = live.watch(send)
  if (gone.aborted) end()
  else gone.addEventListener('abort', end)
  if (jobId !== null) void followJob(pgq.watch(jobId, { signal: left.signal }), send)
  return stop
}

/** Says that the job has changed; what it is like then is asked for. It ends with the job, or with the one who watches. */
async function followJob(changes: AsyncIterable<unknown>, send: (text: string) => void): Promise<void> {
  try {
    for await (const _ of changes) send('event: job\ndata: {}\n\n')
  } catch {
    // The watcher has left, or the queue was closed.
  }
}
