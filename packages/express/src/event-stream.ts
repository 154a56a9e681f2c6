import { once } from 'node:events'
import type { Response } from 'express'

/** A message of a stream. */
export interface StreamEvent {
  /** @default message, which is what `EventSource.onmessage` gets */
  readonly event?: string
  readonly id?: string
  /** One line of text, as JSON is. */
  readonly data: string
}

/** How a stream is kept alive. */
export interface EventStreamOptions {
  /** How often a comment is sent, in ms: proxies close what is silent, and a client that is gone is noticed. */
  readonly heartbeatMs: number
  /** How long a client should wait until it connects again, in ms. */
  readonly retryMs: number
  /** Called once, when the client has gone away or the stream has ended. */
  readonly onClose: () => void
}

/** Server-sent events to one client. It never holds more than one message that the client has not taken. */
export class EventStream {
  readonly #res: Response
  readonly #heartbeat: NodeJS.Timeout
  #wasBlocked = false

  constructor(res: Response, { heartbeatMs, retryMs, onClose }: EventStreamOptions) {
    this.#res = res
    // The client may have gone before this, and then there is no event to come.
    if (res.destroyed || res.closed) onClose()
    else res.once('close', onClose)
    openStream(res)
    res.write(`retry: ${retryMs}\n\n`)
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs)
    res.once('close', () => clearInterval(this.#heartbeat))
  }

  /** Sends a message, and resolves when there is room for the next one. */
  async send({ event, id, data }: StreamEvent): Promise<void> {
    if (!this.#isOpen) return
    const name = event === undefined ? '' : `event: ${event}\n`
    const mark = id === undefined ? '' : `id: ${id}\n`
    if (this.#res.write(`${name}${mark}data: ${data}\n\n`)) return
    const closed = new AbortController()
    const onClose = (): void => closed.abort()
    this.#res.once('close', onClose)
    try {
      await once(this.#res, 'drain', { signal: closed.signal })
    } catch {
      // It was closed instead.
    } finally {
      this.#res.off('close', onClose)
    }
  }

  /** Ends the response. */
  end(): void {
    clearInterval(this.#heartbeat)
    if (this.#isOpen) this.#res.end()
  }

  get #isOpen(): boolean {
    return !this.#res.destroyed && !this.#res.writableEnded
  }

  /** A client that has taken nothing since the last heartbeat is cut off: it may never take anything again. */
  #beat(): void {
    const isBlocked = this.#res.writableNeedDrain
    if (isBlocked && this.#wasBlocked) this.#res.destroy()
    else if (!isBlocked) this.#res.write(':\n\n')
    this.#wasBlocked = isBlocked
  }
}

/** Sends the head of a stream: nothing on the way may keep it, change it or wait for its end. */
export function openStream(res: Response): void {
  res.status(200).set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
  })
  res.flushHeaders()
}
