import { randomUUID } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { ModulesContainer } from '@nestjs/core'
import {
  type AnyQueue,
  type Handler,
  type InputOf,
  type Job,
  type JobContext,
  type Json,
  type Metadata,
  type Pgq,
  PgqError,
  type PgqEventName,
  type ResultOf,
} from '@pgq/core'
import { knownOptions, readPayload } from '@pgq/core/options'
import { connectionOf, type PgqConnection } from './connection.ts'
import type { JobRecordOf } from './queue-client.ts'
import { DEFAULT_CONNECTION } from './tokens.ts'

/** Which connection a call is about. */
interface OfConnection {
  /** The `name` of the connection in `forRoot`. @default 'default' */
  readonly connection?: string
}

/** What the job of a `run` looks like. */
export interface RunOptions extends OfConnection {
  /** Which attempt it is. @default 1 */
  readonly attempt?: number
  readonly metadata?: Metadata
  /** What the handler has as `ctx.signal`. @default one that never aborts */
  readonly signal?: AbortSignal
}

/** How a run ended. */
export type RunOutcome<Result> =
  /** It returned. */
  | { readonly ok: true; readonly result: Result; readonly progress: readonly Json[] }
  /** It threw, and this is what: an error, or a `SnoozeJob`, `RetryJob`, `CancelJob` or `DeadJob`. */
  | { readonly ok: false; readonly error: unknown; readonly progress: readonly Json[] }

/** How many attempts of a `drain` ended in which way. */
export interface DrainReport {
  readonly completed: number
  /** Attempts that failed and will be repeated. */
  readonly failed: number
  readonly dead: number
  readonly cancelled: number
  readonly snoozed: number
}

/** Looks at jobs and runs them when a test wants it. From `PgqTestingModule`. */
@Injectable()
export class PgqTester {
  readonly #modules: ModulesContainer

  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    this.#modules = modules
  }

  /** The jobs of a queue, whatever has become of them, in the order in which they were enqueued. */
  async enqueued<Q extends AnyQueue>(queue: Q, options: OfConnection = {}): Promise<JobRecordOf<Q>[]> {
    knownOptions('PgqTester.enqueued', options, ['connection'])
    const { connection = DEFAULT_CONNECTION } = options
    const { pgq } = connectionOf(this.#modules, connection)
    const jobs: JobRecordOf<Q>[] = []
    let cursor: string | undefined
    do {
      const page = await pgq.list({ queue, limit: 1_000, ...(cursor !== undefined && { cursor }) })
      jobs.push(...(page.jobs as JobRecordOf<Q>[]))
      cursor = page.cursor
    } while (cursor !== undefined)
    return jobs.toReversed()
  }

  /**
   * Runs the handler of a queue for a payload, once, without a worker and without a job in the database: through its guards,
   * interceptors, pipes and filters, with the payload as the database would have given it back. A transactional
   * handler has a real transaction, which commits if it returns.
   * @throws PgqError INVALID_OPTION without a handler; INVALID_PAYLOAD, PAYLOAD_TOO_LARGE as `enqueue`
   */
  async run<Q extends AnyQueue>(
    queue: Q,
    payload: InputOf<Q>,
    options: RunOptions = {},
  ): Promise<RunOutcome<ResultOf<Q>>> {
    knownOptions('PgqTester.run', options, ['connection', 'attempt', 'metadata', 'signal'])
    const connection = connectionOf(this.#modules, options.connection ?? DEFAULT_CONNECTION)
    const handler = handlerOf(connection, queue)
    const job = jobOf(queue, await readPayload(queue, payload, connection.maxPayloadBytes), options)
    const progress: Json[] = []
    const ctx: JobContext = {
      signal: options.signal ?? new AbortController().signal,
      progress: async (value) => void progress.push(value),
    }
    try {
      return {
        ok: true,
        result: (await runHandler(connection.pgq, handler, job, ctx)) as ResultOf<Q>,
        progress,
      }
    } catch (error) {
      return { ok: false, error, progress }
    }
  }

  /**
   * Works, with a real worker, until no job is due, and stops. Jobs that failed or were delayed stay until they are due. What handlers
   * enqueue is worked as well.
   * @throws PgqError INVALID_OPTION when the connection has no handlers
   */
  async drain(options: OfConnection = {}): Promise<DrainReport> {
    knownOptions('PgqTester.drain', options, ['connection'])
    const { connection = DEFAULT_CONNECTION } = options
    const { pgq, createWorker, queues } = partsOf(connectionOf(this.#modules, connection))
    const counts = { completed: 0, failed: 0, dead: 0, cancelled: 0, snoozed: 0 }
    const offs = (Object.keys(counts) as (keyof typeof counts)[]).map((name) =>
      pgq.events.on(`job.${name}` satisfies PgqEventName, () => void counts[name]++),
    )
    try {
      do await workUntilIdle(pgq, createWorker(), queues)
      while ((await pgq.backlog({ queues })).length > 0)
      return counts
    } finally {
      for (const off of offs) off()
    }
  }
}

/** A worker that is stopped gives back what it has not begun, and waits for the rest: then the backlog tells the truth. */
async function workUntilIdle(
  pgq: Pgq,
  worker: ReturnType<PgqConnection['createWorker']>,
  queues: readonly string[],
): Promise<void> {
  await worker.start()
  try {
    while ((await pgq.backlog({ queues })).length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  } finally {
    await worker.stop()
  }
}

const WORKER_OF_A_DRAIN = {
  name: 'PgqTester',
  pollInterval: '20ms',
  maintenance: false,
  shutdownTimeout: '1h',
} as const

function partsOf(connection: PgqConnection): {
  pgq: Pgq
  createWorker: () => ReturnType<PgqConnection['createWorker']>
  queues: readonly string[]
} {
  return {
    pgq: connection.pgq,
    createWorker: () => connection.createWorker({ options: WORKER_OF_A_DRAIN, queues: undefined }),
    queues: connection.queues,
  }
}

function handlerOf(connection: PgqConnection, queue: AnyQueue): Handler {
  const handler = connection.handlerOf(queue)
  if (handler) return handler
  throw new PgqError(
    'INVALID_OPTION',
    `queue ${JSON.stringify(queue.name)} has no handler here: is its class in the providers, and was app.init() called?`,
  )
}

function jobOf(queue: AnyQueue, payload: unknown, { attempt = 1, metadata = {} }: RunOptions): Job {
  const now = new Date()
  return {
    id: randomUUID(),
    queue: queue.name,
    payload,
    attempt,
    maxAttempts: queue.maxAttempts,
    fence: attempt,
    priority: queue.priority,
    group: queue.group?.(payload) ?? null,
    metadata,
    createdAt: now,
    scheduledFor: now,
  }
}

async function runHandler(pgq: Pgq, handler: Handler, job: Job, ctx: JobContext): Promise<unknown> {
  const run = handler.run as (job: Job, ctx: JobContext) => unknown
  if (!handler.transactional) return run(job, ctx)
  return pgq.transaction(async (tx) => run(job, Object.assign(Object.create(ctx), { tx })))
}
