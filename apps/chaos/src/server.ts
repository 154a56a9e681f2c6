import { type Postgres, startPostgres } from '@pgq/embedded-postgres'
import pg from 'pg'
import { SmallDisk } from './faults/small-disk.ts'

const SETTINGS = {
  max_connections: '300',
  // A deadlock is looked for at once: none may be hidden by somebody's patience.
  deadlock_timeout: '50ms',
  // The longest that there is: a commit that does not wait for the disk is then really lost in a crash.
  wal_writer_delay: '10s',
  log_min_messages: 'warning',
}

/** Which server is wanted. */
interface ServerOptions {
  /** Its data are on a disk that may be filled. */
  readonly smallDisk?: boolean
  readonly settings?: Readonly<Record<string, string>>
}

/** The server under test: durable, crashed and filled at will. What it logs is counted. */
export class Server {
  readonly postgres: Postgres
  /** The disk that may be filled, or why there is none. */
  readonly disk: SmallDisk | string
  readonly #counts: LogCounts

  private constructor(postgres: Postgres, disk: SmallDisk | string, counts: LogCounts) {
    this.postgres = postgres
    this.disk = disk
    this.#counts = counts
  }

  /** Starts one. Rejects unless it says itself that commits wait for the disk. */
  static async start({ smallDisk = false, settings = {} }: ServerOptions = {}): Promise<Server> {
    const disk = smallDisk ? SmallDisk.make() : 'not asked for'
    const counts: LogCounts = { deadlocks: 0, fullDisk: 0 }
    const log = (text: string): void => {
      counts.deadlocks += text.split('deadlock detected').length - 1
      counts.fullDisk += text.split('No space left on device').length - 1
    }
    const dir = typeof disk === 'string' ? {} : { dir: disk.directory }
    const server = new Server(
      await startPostgres({ durable: true, settings: { ...SETTINGS, ...settings }, log, ...dir }),
      disk,
      counts,
    )
    const client = await server.connect('harness')
    const { rows } = await client.query(
      `SELECT current_setting('fsync') || current_setting('synchronous_commit') || current_setting('full_page_writes') AS durable`,
    )
    await client.end()
    if (rows[0].durable !== 'ononon')
      throw new Error('the server is not durable: nothing that it acknowledges would mean anything')
    return server
  }

  /** How many deadlocks the server has told of. */
  get deadlocks(): number {
    return this.#counts.deadlocks
  }

  /** How often the server has told that the disk is full. */
  get fullDisk(): number {
    return this.#counts.fullDisk
  }

  /** The connection string of a database, directly or by another port. */
  url(database: string, port: number = this.postgres.port, application?: string): string {
    const url = new URL(this.postgres.url)
    url.port = String(port)
    url.pathname = database
    if (application !== undefined) url.searchParams.set('application_name', application)
    return url.href
  }

  async connect(application: string, database = 'postgres'): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url(database), application_name: application })
    // Connections break when the server is crashed; whoever needs one hears of it from its query.
    client.on('error', () => {})
    await client.connect()
    return client
  }

  /** Does something on a connection of its own, however often the server goes away meanwhile: for what may be repeated. */
  async ask<T>(database: string, work: (client: pg.Client) => Promise<T>, withinMs = 30_000): Promise<T> {
    const deadline = performance.now() + withinMs
    for (;;) {
      let client: pg.Client | undefined
      try {
        client = await this.connect('harness', database)
        return await work(client)
      } catch (error) {
        if (performance.now() > deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
      } finally {
        await client?.end().catch(() => {})
      }
    }
  }

  /** Whether it takes connections. */
  async isUp(): Promise<boolean> {
    try {
      const client = await this.connect('harness')
      await client.end()
      return true
    } catch {
      return false
    }
  }

  async stop(): Promise<void> {
    await this.postgres.stop()
    if (typeof this.disk !== 'string') await this.disk.remove()
  }
}

interface LogCounts {
  deadlocks: number
  fullDisk: number
}
