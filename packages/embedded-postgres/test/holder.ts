import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Another Node process that holds a server. */
export interface Holder {
  readonly process: ChildProcess
  readonly pid: number
  readonly url: string
  readonly dataDir: string
  /** Lets the process stop its server and end by itself; gives the exit code. */
  release(): Promise<number | null>
}

/** How the process is run. */
export interface HolderOptions {
  /** The directory with the built package. Default: this package. */
  readonly checkout?: string
  /** The user to run as. Default: the one who runs the tests. */
  readonly uid?: number
  readonly env?: NodeJS.ProcessEnv
}

const packageDirectory = fileURLToPath(new URL('..', import.meta.url))

/** Starts the process, and waits until its server takes connections. */
export async function holdServer(options: HolderOptions = {}): Promise<Holder> {
  const { checkout = packageDirectory, uid, env } = options
  const child = spawn(process.execPath, [`${checkout}/test/fixtures/hold-server.mjs`, checkout], {
    cwd: '/',
    // Little is passed on: no LANG, no npm_config_*, no PG_MAJOR.
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const failed = once(child, 'close').then(() => Promise.reject(new Error(`no server:\n${complaint}`)))
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), failed])) as [string]
  failed.catch(() => {})
  return {
    process: child,
    ...(JSON.parse(line) as Pick<Holder, 'pid' | 'url' | 'dataDir'>),
    release: async () => {
      child.stdin.end()
      await failed.catch(() => {})
      return child.exitCode
    },
  }
}
