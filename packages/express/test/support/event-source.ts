import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream'
import { cleanUpAfterwards, until } from '@pgq/test-support'

/** A client of server-sent events. */
export interface EventClient {
  readonly response: Response
  readonly messages: readonly EventSourceMessage[]
  /** What comments have arrived. */
  readonly comments: readonly string[]
  readonly isOver: boolean
  /** The message that satisfies the question. */
  message(what: string, ask: (message: EventSourceMessage) => boolean): Promise<EventSourceMessage>
  /** Waits until the server has ended the stream. */
  ended(): Promise<void>
  /** Goes away. */
  close(): void
}

/** Opens a stream; the response may be something else, to look at. */
export async function follow(url: string, headers: Record<string, string> = {}): Promise<EventClient> {
  const gone = new AbortController()
  const response = await fetch(url, {
    headers: { Accept: 'text/event-stream', ...headers },
    signal: gone.signal,
  })
  const messages: EventSourceMessage[] = []
  const comments: string[] = []
  let isOver = false
  const reading = response.headers.get('Content-Type')?.startsWith('text/event-stream')
    ? read(response, messages, comments).finally(() => (isOver = true))
    : Promise.resolve()
  reading.catch(() => {}) // it was closed by the test
  cleanUpAfterwards(async () => gone.abort())
  return {
    response,
    messages,
    comments,
    get isOver() {
      return isOver
    },
    message: (what, ask) => until(`a message: ${what}`, () => messages.find(ask)),
    ended: async () => {
      await until('the stream ends', () => isOver)
    },
    close: () => gone.abort(),
  }
}

async function read(response: Response, messages: EventSourceMessage[], comments: string[]): Promise<void> {
  const parser = new EventSourceParserStream({ onComment: (comment) => comments.push(comment) })
  const events = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(parser)
  if (!events) return
  for await (const event of events as unknown as AsyncIterable<EventSourceMessage>) messages.push(event)
}
