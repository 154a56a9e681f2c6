import { hasEnded, isPgqError, type JobRecord, type Pgq } from '@pgq/core'
import { problemType } from '@pgq/core/problems'
import type { Request, Response } from 'express'
import { EventStream, openStream } from './event-stream.ts'
import { versionOf } from './job-view.ts'
import { type Lifecycle, lifecycleOf } from './lifecycle.ts'
import { sendProblem } from './problem.ts'

/** How progress is streamed. */
export interface JobEventsSettings {
  readonly maxStreams: number
  readonly heartbeatMs: number
  /** When to come back, in ms: after a stream was closed, and after one was refused. */
  readonly retryMs: number
  /** The longest time between two looks at a job, in ms. */
  readonly intervalMs: number
  readonly expose: (job: JobRecord, req: Request) => unknown
}

/**
 * Streams a job: how it stands now, every change that shows in what is exposed, and when it has ended an event `end`. The id of an event
 * says what was shown, so that a client that comes back with `Last-Event-ID`, to any process, is not told the same again.
 */
export class JobEvents {
  readonly #pgq: Pgq
  readonly #settings: JobEventsSettings
  readonly #lifecycle: Lifecycle

  constructor(pgq: Pgq, settings: JobEventsSettings) {
    this.#pgq = pgq
    this.#settings = settings
    this.#lifecycle = lifecycleOf(pgq)
  }

  /** Answers a request whose caller may see the job. Resolves when the stream has ended. */
  async answer(req: Request, res: Response, job: JobRecord): Promise<void> {
    const { maxStreams, expose } = this.#settings
    // An EventSource connects again after every end. This answer tells it that there is nothing to come.
    const seen = req.get('Last-Event-ID')
    if (hasEnded(job.status) && seen === versionOf(textOf(await expose(job, req)))) {
      res.status(204).end()
    } else if (req.method === 'HEAD') {
      openStream(res)
      res.end()
    } else if (this.#lifecycle.hasClosedStreams) {
      // Come again, to another process. An EventSource that hears anything but 200 would give up for good.
      openStream(res)
      res.end(`retry: ${this.#settings.retryMs}\n\n`)
    } else if (this.#lifecycle.openStreams >= maxStreams) {
      this.#refuse(res)
    } else {
      await this.#stream(req, res, job.id, seen)
    }
  }

  async #stream(req: Request, res: Response, id: string, seen: string | undefined): Promise<void> {
    const { heartbeatMs, retryMs } = this.#settings
    const over = new AbortController()
    const end = (): void => over.abort()
    // Counted before anything is awaited, or many at once would be one too many.
    const remove = this.#lifecycle.addStream(end)
    const stream = new EventStream(res, { heartbeatMs, retryMs, onClose: end })
    try {
      await this.#follow(stream, req, id, seen, over.signal)
    } catch (error) {
      // The head is sent, so there is no answer to give; the client comes back, and is told then.
      const isOver = over.signal.aborted || isPgqError(error, 'CLOSED')
      if (!isOver) this.#pgq.events.emit('error', { where: 'streaming the progress of a job', error })
    } finally {
      remove()
      stream.end()
    }
  }

  async #follow(
    stream: EventStream,
    req: Request,
    id: string,
    seen: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { expose, intervalMs } = this.#settings
    let shown = seen
    let isOver = false
    for await (const job of this.#pgq.watch(id, { signal, interval: intervalMs })) {
      const data = textOf(await expose(job, req))
      const version = versionOf(data)
      if (version !== shown) await stream.send({ id: version, data })
      shown = version
      isOver = hasEnded(job.status)
    }
    if (!signal.aborted) await stream.send({ event: 'end', data: JSON.stringify({ deleted: !isOver }) })
  }

  #refuse(res: Response): void {
    const problem = {
      type: problemType('too-many-streams'),
      status: 503,
      title: 'No room for another stream',
      detail: 'Look at the job itself, or try again in a moment.',
    }
    sendProblem(res, problem, Math.max(1, Math.ceil(this.#settings.retryMs / 1_000)))
  }
}

/** What is shown, as text; `undefined` is null. */
function textOf(view: unknown): string {
  return JSON.stringify(view) ?? 'null'
}
