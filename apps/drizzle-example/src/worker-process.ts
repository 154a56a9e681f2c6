import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How long the workers' leases are, in ms: much shorter than the usual 9 s, so that a rescue can be waited for. */
const LEASE_MS = 2_000
/** How long a worker may take to stop before it is killed, in ms. */
const STOP_MS = 10_000

/** What a worker process says of itself. */
type Message = 'ready' | 'half-way'

/** A worker in a process of its own. */
export class WorkerProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #heard = new Set<unknown>()

  /** Starts it. What it prints goes to stderr: stdout is the application's. */
  constructor(databaseUrl: string, options: { readonly haltAt?: string } = {}) {
    const settings = { DATABASE_URL: databaseUrl, HALT_AT: options.haltAt ?? '', LEASE_MS: `${LEASE_MS}` }
    this.#child = fork(fileURLToPath(new URL('worker.js', import.meta.url)), {
      env: { ...process.env, ...settings },
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    this.#child.on('message', (message) => this.#heard.add(message))
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', () => resolve()) // it could not even be started
    })
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Waits until it says that. Rejects if it ends before. */
  async said(what: Message): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const look = (): void => void (this.#heard.has(what) && resolve())
      this.#child.on('message', look)
      look()
    })
    const ended = this.#ended.then(() => {
      throw new Error(`the worker ${this.pid} ended before it was ${what}`)
    })
    await Promise.race([heard, ended])
  }

  /** Ends it as `kill -9` does: it gets no chance to give anything back. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await this.#ended
    clearTimeout(impatience)
  }
}
