import { rmSync } from 'node:fs'
import { serverAccount } from './account.ts'
import { findBinaries } from './binaries.ts'
import { createCluster } from './cluster.ts'
import { defaultMajor } from './majors.ts'
import { freePort } from './port.ts'
import { Postgres, type PostgresParts } from './postgres.ts'
import { makeScratchDirectory } from './scratch.ts'
import { StartError } from './server.ts'
import { runnableDirectory } from './staging.ts'
import { startWatchdog } from './watchdog.ts'

/** How to start a server. */
export interface PostgresOptions {
  /** The PostgreSQL major: `PG_MAJOR` if that is set, else 18. */
  readonly major?: number
  /** Server settings, above those that this package makes. */
  readonly settings?: Readonly<Record<string, string>>
  /**
   * Whether commits survive a power cut, as in production: data on a disk, `fsync` on. Default: false, which
   * is faster; commits then still survive a crash of the server, as `restart('immediate')` makes one.
   */
  readonly durable?: boolean
  /** The directory in which the server gets one of its own. Default: memory or a temporary directory. */
  readonly dir?: string
  /** Gets what the server writes to its log. */
  readonly log?: (text: string) => void
}

const portAttempts = 10

/**
 * Starts a PostgreSQL server that is this process's own: another port and other data than any other, and
 * nothing left of it after `stop()` or when this process dies. Takes about a second.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { major = defaultMajor(), durable = false, log = () => {} } = options
  const account = serverAccount()
  const binaries = runnableDirectory(await findBinaries(major, log), account)
  const directory = makeScratchDirectory({ durable, parent: options.dir }, account)
  const watchdog = startWatchdog(directory)
  try {
    const dataDir = await createCluster({ binaries, directory, durable, account, watchdog })
    const settings = { ...defaultSettings(durable), ...options.settings }
    const server = { binaries, dataDir, settings, account, log }
    return await startOnFreePort({ major, directory, watchdog }, server)
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    watchdog.dismiss()
    throw error
  }
}

function defaultSettings(durable: boolean): Record<string, string> {
  const durability = durable ? 'on' : 'off'
  // A crash of the server alone loses nothing that it has given to the operating system, so that commits
  // outlive it without fsync; with synchronous_commit off they would not.
  return {
    listen_addresses: '127.0.0.1',
    // The path of a socket has a length limit that temporary directories can exceed.
    unix_socket_directories: '',
    max_connections: '200',
    fsync: durability,
    synchronous_commit: 'on',
    full_page_writes: durability,
  }
}

/** Between finding a port free and listening on it somebody else can take it. */
export async function startOnFreePort(
  parts: Omit<PostgresParts, 'server'>,
  server: Omit<PostgresParts['server'], 'port'>,
): Promise<Postgres> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await Postgres.start({ ...parts, server: { ...server, port: await freePort() } })
    } catch (error) {
      const taken = error instanceof StartError && error.output.includes('could not bind')
      if (!taken || attempt === portAttempts) throw error
    }
  }
}
