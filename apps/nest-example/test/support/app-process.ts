import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { inject, onTestFinished } from 'vitest'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** The application as a process. */
export interface AppProcess {
  /** What it has written so far. */
  readonly output: string
  /** Where it listens; rejects when it has no port. */
  url(): Promise<string>
  /** Waits until its output matches. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** Starts it in a role. It is killed when the test ends. */
export function startApp(env: Readonly<Record<string, string>>): AppProcess {
  const child = spawn(process.execPath, [main], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], NO_COLOR: '1', PORT: '0', ...env },
  })
  let output = ''
  let isGone = false
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exited = once(child, 'close').then(([code, signal]) => {
    isGone = true
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const wrote = (pattern: RegExp): Promise<RegExpExecArray> =>
    until(`${String(pattern)} in what it wrote`, () => {
      const match = pattern.exec(output)
      if (!match && isGone) throw new Error(`it is gone:\n${output}`)
      return match ?? undefined
    })
  return {
    get output() {
      return output
    },
    wrote,
    url: async () => (await wrote(/listening on (http:\S+)/))[1]?.replace('[::1]', '127.0.0.1') ?? '',
    kill: (signal) => void child.kill(signal),
    exited,
  }
}

/** Asks until there is an answer. Throws when that takes too long; machines under load are slow. */
export async function until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 40_000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`not within 40 s: ${what}`)
    await sleep(20)
  }
}

/** A database of its own for a test, which goes with it. */
export async function freshDatabase(): Promise<{ url: string; pool: pg.Pool }> {
  const name = `shop_${randomBytes(6).toString('hex')}`
  const server = new pg.Client({ connectionString: inject('databaseUrl') })
  await server.connect()
  await server.query(`CREATE DATABASE ${name}`)
  const url = new URL(inject('databaseUrl'))
  url.pathname = name
  const pool = new pg.Pool({ connectionString: url.href, max: 2 })
  pool.on('error', () => {}) // its database is dropped under it
  onTestFinished(async () => {
    await pool.end()
    await server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await server.end()
  })
  return { url: url.href, pool }
}
