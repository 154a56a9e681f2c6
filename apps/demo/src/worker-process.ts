import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a worker process is started with. */
export interface WorkerProcessOptions {
  readonly name: string
  readonly databaseUrl: string
  readonly exchangeUrl: string
  readonly leaseMs: number
}

/** How long a worker may take to stop before it is killed, in ms. */
const STOP_MS = 5_000

/** A worker in a process of its own, seen from the process that started it. */
export class WorkerProcess {
  readonly name: string
  /** Resolves when the worker has begun to work. */
  readonly ready: Promise<unknown>
  /** Rejects when the process ends without having been asked to. */
  readonly crashed: Promise<never>
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #endsOnPurpose = false

  /** Starts the process. What it prints goes to stderr: stdout is the demo's. */
  constructor({ name, databaseUrl, exchangeUrl, leaseMs }: WorkerProcessOptions) {
    const settings = {
      DATABASE_URL: databaseUrl,
      EXCHANGE_URL: exchangeUrl,
      WORKER_NAME: name,
      LEASE_MS: `${leaseMs}`,
    }
    const child = fork(fileURLToPath(new URL('worker.js', import.meta.url)), {
      env: { ...process.env, ...settings },
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    this.name = name
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve()) // it could not even be started
    })
    this.crashed = this.#ended.then(() => this.#explainEnd())
    this.ready = Promise.race([once(child, 'message'), this.crashed])
    for (const promise of [this.crashed, this.ready]) promise.catch(() => {}) // whoever awaits them hears of it
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Ends it as `kill -9` does: it gets no chance to give anything back. */
  async kill(): Promise<void> {
    this.#endsOnPurpose = true
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    this.#endsOnPurpose = true
    this.#child.kill('SIGTERM')
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await this.#ended
    clearTimeout(impatience)
  }

  #explainEnd(): Promise<never> {
    if (this.#endsOnPurpose) return new Promise(() => {})
    const { signalCode, exitCode } = this.#child
    throw new Error(`${this.name} ended unexpectedly, with ${signalCode ?? `exit code ${exitCode}`}`)
  }
}
