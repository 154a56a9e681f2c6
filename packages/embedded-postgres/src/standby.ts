import { execFileSync } from 'node:child_process'
import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { startOnFreePort } from './launcher.ts'
import type { Postgres } from './postgres.ts'
import { makeScratchDirectory } from './scratch.ts'
import { startWatchdog } from './watchdog.ts'

/**
 * Starts a hot standby of a server: it streams what the server writes, answers reads, and becomes a primary by
 * `SELECT pg_promote()`. `name` is what `synchronous_standby_names` calls it. The server restarts once, since the standby begins
 * as a copy of its data, made while it is down; both end with this process.
 */
export async function startStandby(primary: Postgres, name: string): Promise<Postgres> {
  const { major, server, directory: ofPrimary } = primary.parts
  const directory = makeScratchDirectory({ durable: false, parent: path.dirname(ofPrimary) }, server.account)
  const watchdog = startWatchdog(directory)
  try {
    const dataDir = path.join(directory, 'data')
    // With owners and modes, on which PostgreSQL insists.
    await primary.restart('fast', () => execFileSync('cp', ['-a', primary.dataDir, dataDir]))
    const source = `host=${primary.host} port=${primary.port} user=postgres application_name=${name}`
    appendFileSync(path.join(dataDir, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`)
    writeFileSync(path.join(dataDir, 'standby.signal'), '')
    return await startOnFreePort({ major, directory, watchdog }, { ...server, dataDir })
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    watchdog.dismiss()
    throw error
  }
}
