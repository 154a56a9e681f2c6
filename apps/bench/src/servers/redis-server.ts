import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'

/** No snapshots and no append-only file: the fastest that Redis can be, and what it has written is gone with its process. */
const SETTINGS = { save: '', appendonly: 'no' }

/** Redis ends when the pipe to this process does, however that ends: nothing is left behind even if it is killed. */
const KEEPER = 'redis-server "$@" & cat > /dev/null; kill $!; wait'

/** A Redis of our own, on a free port of the loopback. */
export class RedisServer {
  readonly url: string
  readonly version: string
  readonly settings: Readonly<Record<string, string>> = SETTINGS
  readonly #child: ChildProcess
  readonly #client: Redis

  private constructor(child: ChildProcess, client: Redis, url: string, version: string) {
    this.#child = child
    this.#client = client
    this.url = url
    this.version = version
  }

  /** Starts one. `undefined` if there is no redis-server on the PATH. */
  static async start(): Promise<RedisServer | undefined> {
    if (!(await isInstalled())) return undefined
    const port = await freePort()
    const switches = Object.entries(SETTINGS).flatMap(([name, value]) => [`--${name}`, value])
    const child = spawn('sh', ['-c', KEEPER, 'sh', '--bind', '127.0.0.1', '--port', `${port}`, ...switches], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // In a session of its own: on Ctrl-C it must outlive the contestant that still uses it.
      detached: true,
    })
    const url = `redis://127.0.0.1:${port}`
    const client = new Redis(url, { maxRetriesPerRequest: 100 })
    client.on('error', () => {}) // until it listens; whoever asks hears of it from the answer
    const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? 'unknown'
    return new RedisServer(child, client, url, version)
  }

  /** Empties it. */
  async clear(): Promise<void> {
    await this.#client.flushall()
  }

  async stop(): Promise<void> {
    this.#client.disconnect()
    const ended = once(this.#child, 'exit')
    this.#child.stdin?.end()
    await ended
  }
}

function isInstalled(): Promise<boolean> {
  return new Promise((resolve, reject) => {
    execFile('redis-server', ['--version'], (error) => {
      if (error && error.code !== 'ENOENT') reject(error)
      else resolve(!error)
    })
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
