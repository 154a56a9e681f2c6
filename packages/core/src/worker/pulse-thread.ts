import { createRequire } from 'node:module'
import { type MessagePort, Worker as Thread } from 'node:worker_threads'
import type pg from 'pg'
import { PgqError } from '../errors.ts'
import type { Events } from '../events.ts'
import { settledWithin } from '../runtime/clock.ts'
import type { Service } from '../runtime/service.ts'
import type { Tables } from '../sql/statement.ts'
import { IS_READ_ONLY } from '../sql/read-only.ts'
import { extendLease } from '../sql/workers.ts'
import type { ConnectionConfig } from '../store/pg-connection.ts'

/** What the thread needs from outside. */
export interface PulseThreadDeps {
  readonly connection: ConnectionConfig
  readonly tables: Tables
  readonly events: Events
  readonly workerId: () => string
  readonly leaseMs: number
  /** For how long the event loop may be blocked, in ms. */
  readonly maxBlockedMs: number
}

/** What the thread is given. */
interface PulseData {
  readonly pgPath: string
  readonly config: ConnectionConfig
  readonly text: string
  readonly isReadOnly: string
  readonly leaseMs: number
  readonly maxBlockedMs: number
  /** When the event loop ran last, in ns of the clock that all threads of a process share. */
  readonly seen: BigInt64Array
}

/** How long the thread may take to close its connection, in ms. */
const CLOSE_MS = 1_000

/**
 * Renews the lease of a worker while its event loop is blocked, from a thread with a connection of its own.
 *
 * The event loop leaves a mark every now and then. While the marks are fresh the thread does nothing: the heartbeat does its
 * work. When they are not, something blocks the loop, and the thread renews in its stead, up to a limit: a handler that
 * never ends must not keep its jobs for ever. It cannot outlive the process, so a crash is noticed as ever.
 */
export class PulseThread implements Service {
  readonly #deps: PulseThreadDeps
  readonly #config: ConnectionConfig
  readonly #seen = new BigInt64Array(new SharedArrayBuffer(8))
  #thread: Thread | undefined
  #marks: NodeJS.Timeout | undefined

  /** @throws PgqError INVALID_OPTION when the settings of the connection cannot be copied to a thread */
  constructor(deps: PulseThreadDeps) {
    this.#deps = deps
    this.#config = copyable(deps.connection)
  }

  /** Resolves when the thread has its connection, or has failed to get one for the first time. */
  async start(): Promise<void> {
    const { tables, leaseMs, maxBlockedMs, events, workerId } = this.#deps
    const mark = (): void => void Atomics.store(this.#seen, 0, process.hrtime.bigint())
    mark()
    this.#marks = setInterval(mark, leaseMs / 12).unref()
    const data: PulseData = {
      pgPath: createRequire(import.meta.url).resolve('pg'),
      config: this.#config,
      text: extendLease(tables).text,
      isReadOnly: IS_READ_ONLY,
      leaseMs,
      maxBlockedMs,
      seen: this.#seen,
    }
    // Not a file of its own: it would have to be found from bundles, too.
    const program = `(${pulse.toString()})(require('node:worker_threads'), require)`
    const thread = new Thread(program, { eval: true, workerData: data })
    thread.unref()
    this.#thread = thread
    await new Promise<void>((resolve) => {
      const onError = (error: unknown): void => {
        events.emit('error', { where: 'renewing the lease from a thread', error })
        resolve()
      }
      thread.on('error', onError)
      thread.on('message', (message: { error?: unknown }) => {
        if (message.error === undefined) resolve()
        else onError(message.error)
      })
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
      thread.postMessage({ workerId: workerId() })
    })
  }

  /** Renews for this worker from now on. */
  follow(workerId: string): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    this.#thread?.postMessage({ workerId })
  }

  async stop(): Promise<void> {
    clearInterval(this.#marks)
    const thread = this.#thread
    this.#thread = undefined
    if (!thread) return
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    thread.postMessage({ stop: true })
    if (!(await settledWithin(CLOSE_MS, ended))) await thread.terminate()
  }
}

/** A copy of the settings. A function, such as one that gets passwords, stays in its thread. */
function copyable(connection: ConnectionConfig): ConnectionConfig {
  try {
    return structuredClone(connection)
  } catch (error) {
    throw new PgqError(
      'INVALID_OPTION',
      'maxBlocked needs connection settings that can be copied to a thread: no functions in them, such as one that gets the password',
      { cause: error },
    )
  }
}

/** What runs in the thread. Its text is all that gets there: it must use nothing from around it. */
function pulse(
  threads: { workerData: PulseData; parentPort: MessagePort | null },
  load: NodeJS.Require,
): void {
  const { pgPath, config, text, isReadOnly, leaseMs, maxBlockedMs, seen } = threads.workerData
  const { hosts } = config
  const { Client } = load(pgPath) as { Client: typeof pg.Client }
  const port = threads.parentPort
  let client: pg.Client | undefined
  let workerId = ''
  let busy = false
  let tries = 0

  const connect = async (): Promise<pg.Client> => {
    if (client) return client
    const limits = { connectionTimeoutMillis: leaseMs / 3, query_timeout: leaseMs / 3, keepAlive: true }
    // Of several hosts one after the other, until one takes writes.
    const host = hosts && { connectionString: hosts[tries++ % hosts.length] }
    const opened = new Client({ application_name: 'pgq', ...config, ...host, ...limits })
    opened.on('error', () => (client = undefined))
    await opened.connect()
    client = opened
    if (hosts && (await opened.query(isReadOnly)).rows[0].transaction_read_only !== 'off')
      throw new Error('this host takes no writes')
    port?.postMessage({})
    return opened
  }
  const beat = async (): Promise<void> => {
    const connected = await connect()
    const blockedMs = Number(process.hrtime.bigint() - Atomics.load(seen, 0)) / 1e6
    if (blockedMs > leaseMs / 6 && blockedMs < maxBlockedMs) await connected.query(text, [workerId, leaseMs])
  }
  const beatOnce = (): void => {
    if (busy) return
    busy = true
    beat()
      .catch((error: unknown) => {
        void client?.end().catch(() => {})
        client = undefined
        port?.postMessage({ error })
      })
      .finally(() => (busy = false))
  }
  const timer = setInterval(beatOnce, leaseMs / 12)
  port?.on('message', (message: { workerId?: string; stop?: boolean }) => {
    workerId = message.workerId ?? workerId
    if (!message.stop) return beatOnce()
    clearInterval(timer)
    port.close()
    void client?.end().catch(() => {})
  })
}
