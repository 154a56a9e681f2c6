import { rmSync } from 'node:fs'
import { type EndSignal, type Server, type ServerOptions, startServer } from './server.ts'
import type { Watchdog } from './watchdog.ts'

/** How a restart ends the server: `fast` disconnects everyone, `immediate` is a crash that the start recovers from. */
export type RestartMode = 'fast' | 'immediate'

/** What one instance is made of. */
export interface PostgresParts {
  readonly major: number
  /** The directory of its own that holds the cluster, and goes with it. */
  readonly directory: string
  readonly server: ServerOptions
  readonly watchdog: Watchdog
}

/** `pool.end()` of pg resolves before its sockets are closed; cutting those off would be an unhandled error there. */
const graceMs = 500

/** A running PostgreSQL server of our own. It ends with this process, even if that is killed. */
export class Postgres {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly major: number
  readonly dataDir: string
  /** A connection string for the superuser and the database `postgres`. */
  readonly url: string
  readonly #parts: PostgresParts
  #server: Server | undefined
  #stopped: Promise<void> | undefined

  private constructor(parts: PostgresParts) {
    this.#parts = parts
    this.major = parts.major
    this.port = parts.server.port
    this.dataDir = parts.server.dataDir
    this.url = `postgres://postgres@${this.host}:${this.port}/postgres`
  }

  /** Starts a server on a cluster that exists. */
  static async start(parts: PostgresParts): Promise<Postgres> {
    const postgres = new Postgres(parts)
    await postgres.#start()
    return postgres
  }

  /** What it is made of, for making another one like it. */
  get parts(): PostgresParts {
    return this.#parts
  }

  /** The process id of the postmaster; a restart changes it. `undefined` while the server is down. */
  get pid(): number | undefined {
    return this.#server?.pid
  }

  /**
   * Ends the server and starts it again on the same port and data. After `kill()` it only starts it. What `meanwhile` does
   * is done while it is down.
   */
  async restart(mode: RestartMode, meanwhile: () => void = () => {}): Promise<void> {
    if (this.#stopped) throw new Error('This PostgreSQL was stopped, and its data is gone')
    await this.#end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    meanwhile()
    await this.#start()
  }

  /** Kills the server and all its backends with SIGKILL. The data stays for `restart()`. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Stops the server and removes its data. May be called more than once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #start(): Promise<void> {
    const { server, watchdog } = this.#parts
    this.#server = await startServer(server, (pid) => watchdog.watch(pid))
  }

  async #end(signal: EndSignal): Promise<void> {
    await this.#server?.end(signal)
    this.#server = undefined
    this.#parts.watchdog.watch(undefined)
  }

  async #stop(): Promise<void> {
    const server = this.#server
    const cutOff = setTimeout(() => void server?.end('SIGINT'), graceMs)
    await this.#end('SIGTERM')
    clearTimeout(cutOff)
    rmSync(this.#parts.directory, { recursive: true, force: true })
    this.#parts.watchdog.dismiss()
  }
}
