import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ShutdownOptions } from '../../src/index.ts'
import { cleanUpAfterwards, until } from '@pgq/test-support'

/** One thing that the process said. */
interface Line {
  readonly type: string
  readonly port?: number
  readonly late?: boolean
  readonly error?: string
}

/** An API in a process of its own. */
export interface ApiProcess {
  readonly url: string
  readonly port: number
  readonly lines: readonly Line[]
  /** What was said, in its order. */
  readonly types: readonly string[]
  /** What it wrote to stderr. */
  readonly complaint: string
  said(type: string): Promise<void>
  /** Lets what waits for it go on. */
  tell(what: 'finish job' | 'finish request'): void
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

const fixture = fileURLToPath(new URL('../fixtures/api.mjs', import.meta.url))

/** Starts one, and waits until it listens. It is killed when the test ends. */
export async function startApi(options: {
  readonly url: string
  readonly schema: string
  readonly shutdown?: Partial<ShutdownOptions>
  readonly shutdownTimeout?: number
  readonly keepAlive?: boolean
}): Promise<ApiProcess> {
  const child: ChildProcess = fork(fixture, [JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env['PATH'] },
    execArgv: [], // plain Node, whatever the tests run on
  })
  const lines: Line[] = []
  let complaint = ''
  if (!child.stdout || !child.stderr) throw new Error('the API did not start')
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as Line))
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const exited = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }))
  cleanUpAfterwards(async () => {
    child.kill('SIGKILL')
    await exited
  })
  let isGone = false
  void exited.then(() => (isGone = true))
  const said = async (type: string): Promise<void> => {
    await until(`the API says ${type}`, () => {
      const isSaid = lines.some((line) => line.type === type)
      if (!isSaid && isGone) throw new Error(`the API is gone and never said ${type}:\n${complaint}`)
      return isSaid
    })
  }
  await said('listening')
  const port = lines[0]?.port ?? 0
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    lines,
    get types() {
      return lines.map((line) => line.type)
    },
    get complaint() {
      return complaint
    },
    said,
    tell: (what) => void child.send(what),
    kill: (signal) => void child.kill(signal),
    exited,
  }
}
