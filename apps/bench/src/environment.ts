import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import type { PostgresServer } from './servers/postgres-server.ts'
import type { RedisServer } from './servers/redis-server.ts'

/** Where it was measured. */
export interface Environment {
  readonly date: string
  readonly platform: string
  readonly cpu: string
  readonly cpus: number
  readonly memoryGb: number
  /** The load average of the last minute before the first round: a machine with other work measures that as well. */
  readonly loadBefore: number
  /** The Node that all contestants run on. */
  readonly node: string
  readonly postgres: Readonly<Record<string, string>>
  readonly redis: Readonly<Record<string, string>> | null
}

/** What the peers need at least: graphile-worker asks for 22.18, pg-boss for 22.12. */
const OLDEST_FOR_ALL: readonly [number, number] = [22, 18]

/** The Node for all contestants. */
export interface NodeRuntime {
  readonly path: string
  readonly version: string
  /** Why it is not the one that was wanted. */
  readonly note?: string
}

const require = createRequire(import.meta.url)

/** All contestants run on the same Node: the one that runs the benchmark if every peer supports it, else the one that is installed with it. */
export function findNode(): NodeRuntime {
  const own = { path: process.execPath, version: process.version }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > OLDEST_FOR_ALL[0] || (major === OLDEST_FOR_ALL[0] && minor >= OLDEST_FOR_ALL[1])) return own
  const alias = `node24-${process.platform}-${process.arch}`
  const directory = packageDirectory(alias)
  const binary = directory && path.join(directory, 'bin', 'node')
  if (binary && existsSync(binary)) return { path: binary, version: `v${packageVersion(alias)}` }
  const note = `all run on Node ${process.version}, older than graphile-worker and pg-boss ask for: ${alias} is not installed`
  return { ...own, note }
}

/** The version of an installed package. */
export function packageVersion(name: string): string {
  const directory = packageDirectory(name)
  if (!directory) return 'not installed'
  const manifest = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as {
    version: string
  }
  return manifest.version
}

/** Not by its entry point: some packages have none, and others hide their package.json. */
function packageDirectory(name: string): string | undefined {
  return require.resolve
    .paths(name)
    ?.map((folder) => path.join(folder, name))
    .find((folder) => existsSync(path.join(folder, 'package.json')))
}

/** Describes the machine and the servers. */
export function describeEnvironment(
  node: NodeRuntime,
  postgres: PostgresServer,
  redis: RedisServer | undefined,
): Environment {
  const cpus = os.cpus()
  return {
    date: new Date().toISOString(),
    platform: `${os.type()} ${os.release()} ${os.arch()}`,
    cpu: cpus[0]?.model ?? 'unknown',
    cpus: os.availableParallelism(),
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    loadBefore: Number((os.loadavg()[0] ?? 0).toFixed(2)),
    node: node.version,
    postgres: postgres.settings,
    redis: redis ? { version: redis.version, ...redis.settings } : null,
  }
}
