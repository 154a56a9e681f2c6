import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Account } from './account.ts'
import { programPath } from './binaries.ts'
import { killWithBackends } from './crash.ts'
import { serverEnvironment } from './environment.ts'

/** What one postmaster is started with. */
export interface ServerOptions {
  readonly binaries: string
  readonly dataDir: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  readonly account: Account
  readonly log: (text: string) => void
}

/** How to end: politely, cutting connections off, without clean-up, or without warning. */
export type EndSignal = 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGKILL'

/** One running postmaster. */
export interface Server {
  readonly pid: number
  /** Sends a signal and waits until the postmaster and all its backends have gone. */
  end(signal: EndSignal): Promise<void>
}

/** The server exited before it took connections; `output` is what it said. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly output: string

  constructor(output: string) {
    super(`PostgreSQL did not start:\n${output}`)
    this.output = output
  }
}

const startTimeoutMs = 60_000
const keptOutput = 4_000

/** Starts a postmaster and waits until it takes connections. */
export async function startServer(options: ServerOptions, onSpawn: (pid: number) => void): Promise<Server> {
  const child = spawn(programPath(options.binaries, 'postgres'), serverArguments(options), {
    ...options.account,
    cwd: options.dataDir,
    env: serverEnvironment(),
    // In a session of its own: on Ctrl-C the server must outlive the program that still uses it.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-keptOutput)
    options.log(chunk.toString())
  })
  // Not until `close` have the backends, which hold the same pipe, gone as well.
  const exited = new Promise<void>((resolve) =>
    child.once('close', () => resolve()).once('error', () => resolve()),
  )
  const { pid } = child
  if (pid === undefined) throw new StartError('the binary cannot be executed')
  onSpawn(pid)

  if (!(await becomesReady(child, options.dataDir))) {
    child.kill('SIGQUIT')
    await exited
    throw new StartError(output)
  }
  child.unref()
  unref(child.stderr)
  return { pid, end: (signal) => end(child, signal, exited) }
}

function serverArguments({ dataDir, port, settings }: ServerOptions): string[] {
  const switches = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return ['-D', dataDir, '-p', String(port), ...switches]
}

async function becomesReady(child: ChildProcess, dataDir: string): Promise<boolean> {
  const deadline = performance.now() + startTimeoutMs
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
    if (saysReady(dataDir, child.pid)) return true
    await sleep(5)
  }
  return false
}

/** The first line of postmaster.pid names the process, as a crash leaves the file behind; the eighth its state. */
function saysReady(dataDir: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(path.join(dataDir, 'postmaster.pid'), 'utf8').split('\n')
    return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
  } catch {
    return false
  }
}

async function end(child: ChildProcess, signal: EndSignal, exited: Promise<void>): Promise<void> {
  // Someone waits for the server again, so the event loop must not end before it does.
  child.ref()
  ref(child.stderr)
  const isRunning = child.exitCode === null && child.signalCode === null
  if (signal === 'SIGKILL' && isRunning && child.pid !== undefined) killWithBackends(child.pid)
  else child.kill(signal)
  await exited
}

/** Pipes of child processes are sockets, though their type is the more general stream. */
function ref(stream: Readable | null): void {
  if (stream instanceof Socket) stream.ref()
}

function unref(stream: Readable | null): void {
  if (stream instanceof Socket) stream.unref()
}
