import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'

/** A PgBouncer in front of a server, as `url` says it. */
export interface PgBouncer {
  readonly url: string
  stop(): Promise<void>
}

/** It refuses to run as root; this is who nobody is. */
const NOBODY = 65_534

/** Starts the PgBouncer of this machine in transaction mode. Rejects when there is none, or when it does not start. */
export async function startPgBouncer(databaseUrl: string): Promise<PgBouncer> {
  const target = new URL(databaseUrl)
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pgq-pgbouncer-'))
  chmodSync(directory, 0o755)
  const port = await freePort()
  const config = path.join(directory, 'pgbouncer.ini')
  writeFileSync(config, configOf(target, port))
  const isRoot = process.getuid?.() === 0
  const child = spawn('pgbouncer', [config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot && { uid: NOBODY, gid: NOBODY }),
  })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-5_000)))
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (cause) => reject(new Error('PgBouncer cannot be started', { cause })))
    child.once('exit', () => reject(new Error(`PgBouncer ended:\n${output}`)))
  })
  failed.catch(() => {}) // it ends one day
  await Promise.race([accepts(port), failed])
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return { url: url.href, stop: () => stop(child, directory) }
}

/** Clients are let in as the user that the server's URL names. It knows the server parameters of `pg`, and passes no options on. */
const configOf = (target: URL, port: number): string => `[databases]
* = host=${target.hostname} port=${target.port || 5432} user=${target.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 1000
default_pool_size = 150
ignore_startup_parameters = extra_float_digits,options
`

async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
  rmSync(directory, { recursive: true, force: true })
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function accepts(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
