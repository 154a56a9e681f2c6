import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { Account } from './account.ts'
import { programPath } from './binaries.ts'
import { serverEnvironment } from './environment.ts'
import type { Watchdog } from './watchdog.ts'

/** What initdb needs to know. */
export interface ClusterOptions {
  readonly binaries: string
  /** The server's own directory; the cluster becomes `data` in it. */
  readonly directory: string
  readonly durable: boolean
  readonly account: Account
  readonly watchdog: Watchdog
}

/** Creates an empty cluster with UTF-8, C collation and a superuser `postgres` without a password. */
export async function createCluster(options: ClusterOptions): Promise<string> {
  const dataDir = path.join(options.directory, 'data')
  const flags = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale']
  if (!options.durable) flags.push('--no-sync')
  const initdb = spawn(programPath(options.binaries, 'initdb'), ['-D', dataDir, ...flags], {
    ...options.account,
    cwd: options.directory,
    env: serverEnvironment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  options.watchdog.watch(initdb.pid)
  let output = ''
  initdb.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  initdb.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = (await once(initdb, 'close').catch((cause: unknown) => {
    throw new Error('initdb cannot be run on this machine (the binaries need glibc)', { cause })
  })) as [number | null]
  options.watchdog.watch(undefined)
  if (code !== 0) throw new Error(`initdb failed:\n${output}`)
  return dataDir
}
