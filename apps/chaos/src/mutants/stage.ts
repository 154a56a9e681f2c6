import type {
  AnyQueue,
  EnqueueOptions,
  Handler,
  Job,
  JobContext,
  Pgq,
  Worker,
  WorkerOptions,
} from '@pgq/core'
import pg from 'pg'
import type { Core } from '../core.ts'
import { Proxy } from '../faults/proxy.ts'
import { ClientLog } from '../history/client-log.ts'
import type { HandlerEnd, QueueSwitch } from '../history/records.ts'
import { recordEvents } from '../process/record-events.ts'

/** What a scenario is played with. */
export interface StageOptions {
  readonly core: Core
  /** The database, directly. */
  readonly url: string
  readonly logs: string
  readonly leaseMs: number
  /** Crashes the server and starts it again. */
  readonly crash: () => Promise<void>
}

/** One who enqueues or works, behind a proxy of its own. */
export interface Actor {
  readonly name: string
  readonly proxy: Proxy
  readonly pgq: Pgq
  readonly log: ClientLog
}

/** A gate that handlers wait at. */
export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

/** What a handler of a scenario does; it returns how it ends, or nothing for returning. */
export type Part = (
  job: Job<{ ticket: string }>,
  ctx: JobContext,
) => Promise<{ readonly end: HandlerEnd; readonly error: Error } | void>

/** How long a story waits for its next turn, in ms. A broken package may never bring it: the checker then says what is missing. */
const PATIENCE_MS = 8_000

/** Where a scenario is played: actors with logs, on one database. */
export class Stage {
  readonly core: Core
  readonly leaseMs: number
  readonly crash: () => Promise<void>
  readonly #url: string
  readonly #logs: string
  readonly #actors: Actor[] = []
  readonly #sessions: pg.Client[] = []
  #tickets = 0

  constructor({ core, url, logs, leaseMs, crash }: StageOptions) {
    this.core = core
    this.leaseMs = leaseMs
    this.crash = crash
    this.#url = url
    this.#logs = logs
  }

  async actor(name: string): Promise<Actor> {
    const proxy = await Proxy.start(Number(new URL(this.#url).port))
    const url = new URL(this.#url)
    url.port = String(proxy.port)
    url.searchParams.set('application_name', name)
    const log = new ClientLog(this.#logs, name)
    const pgq = this.core.createPgq({ connectionString: url.href })
    recordEvents(pgq.events, log)
    const actor = { name, proxy, pgq, log }
    this.#actors.push(actor)
    return actor
  }

  /** A handler that writes down when it begins and how it ends. */
  handler(
    { log }: Actor,
    queue: AnyQueue,
    part: Part,
    options: { concurrency?: number; transactional?: boolean } = {},
  ): Handler {
    const run = async (
      job: Job<{ ticket: string }>,
      ctx: JobContext,
    ): Promise<{ by: number; for: string }> => {
      const { id, fence, attempt, payload } = job
      await log.record({ op: 'start', job: id, fence, attempt, queue: queue.name, ticket: payload.ticket })
      const ending = await part(job, ctx)
      const message = ending?.end === 'threw' ? { message: ending.error.message } : {}
      await log.record({ op: 'end', job: id, fence, how: ending?.end ?? 'returned', ...message })
      if (ending) throw ending.error
      return { by: fence, for: payload.ticket }
    }
    return this.core.handle(queue, run, options as { transactional: true })
  }

  async work(actor: Actor, handlers: Handler[], options: WorkerOptions = {}): Promise<Worker> {
    const worker = actor.pgq.createWorker(handlers, {
      name: actor.name,
      lease: this.leaseMs,
      pollInterval: '100ms',
      shutdownTimeout: '500ms',
      ...options,
    })
    await worker.start()
    return worker
  }

  /** Enqueues, with its log. Returns the id, or nothing if it was refused. */
  async enqueue(
    { name, pgq, log }: Actor,
    queue: AnyQueue,
    options: EnqueueOptions = {},
  ): Promise<string | undefined> {
    const ticket = `${name}-${++this.#tickets}`
    const [call, key] = [`${ticket}!`, options.uniqueKey]
    await log.record({
      op: 'enqueue',
      call,
      queue: queue.name,
      tickets: [ticket],
      ...(key !== undefined && { key }),
    })
    try {
      const { id, deduplicated } = await pgq.enqueue(queue, { ticket }, options)
      await log.record({ op: 'enqueued', call, jobs: [{ ticket, id, deduplicated }] })
      return id
    } catch (error) {
      await log.record({ op: 'refused', call, code: String(error), sure: false })
      return undefined
    }
  }

  async cancel(actor: Actor, ...jobs: string[]): Promise<void> {
    await this.#act(actor, 'cancel', jobs)
  }

  async retry(actor: Actor, ...jobs: string[]): Promise<void> {
    await this.#act(actor, 'retry', jobs)
  }

  /** Asks for all of them at once; only where there is one does the answer tell which has changed. */
  async #act({ name, pgq, log }: Actor, act: 'cancel' | 'retry', jobs: string[]): Promise<void> {
    const call = `${name}-act-${++this.#tickets}`
    for (const job of jobs) await log.record({ op: 'act', call, act, job })
    const changed = await pgq[act](jobs)
    if (jobs.length === 1) await log.record({ op: 'acted', call, changed })
  }

  async switchQueue({ name, pgq, log }: Actor, { name: queue }: AnyQueue, to: QueueSwitch): Promise<void> {
    const call = `${name}-switch-${++this.#tickets}`
    await log.record({ op: 'switch', call, to, queue })
    await (to === 'paused' ? pgq.pause(queue) : pgq.resume(queue))
    await log.record({ op: 'switched', call, to, queue })
  }

  /** A connection of its own, past all proxies. */
  async session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url, application_name: 'scenario' })
    client.on('error', () => {})
    await client.connect()
    this.#sessions.push(client)
    return client
  }

  /** Waits until something is so, and says whether it came to be. */
  async until(isSo: () => boolean | Promise<boolean>, withinMs: number = PATIENCE_MS): Promise<boolean> {
    const deadline = performance.now() + withinMs
    while (performance.now() < deadline) {
      if (await isSo()) return true
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return false
  }

  /** Waits until no job is left that waits or runs. */
  async drained(): Promise<boolean> {
    const client = await this.session()
    return this.until(async () => {
      const { rows } = await client.query(
        `SELECT count(*)::integer AS live FROM pgq.jobs WHERE status IN ('pending', 'failed', 'processing')`,
      )
      return rows[0].live === 0
    })
  }

  /** Ends it all: first whoever is cut off, so that nothing it still sends changes how the story ended. */
  async close(): Promise<void> {
    for (const { proxy } of this.#actors) proxy.cut()
    await Promise.all(this.#actors.map(({ pgq }) => pgq.close().catch(() => {})))
    for (const session of this.#sessions) await session.end().catch(() => {})
    for (const { proxy, log } of this.#actors) {
      proxy.close()
      log.close()
    }
  }
}

/** A gate that is closed. */
export function gate(): Gate {
  const opening = new AbortController()
  const opened = new Promise<void>((resolve) =>
    opening.signal.addEventListener('abort', () => resolve(), { once: true }),
  )
  return { opened, open: () => opening.abort() }
}
