import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ScheduleRule, WorkerOptions } from '../../src/index.ts'
import { cleanUpAfterwards, until } from '@pgq/test-support'

/** One thing a worker process can do with a job; a payload holds a list of them as `steps`. */
export type Step =
  | { readonly do: 'sleep' | 'wait' | 'block'; readonly ms: number }
  | { readonly do: 'forever' | 'abort' | 'progress' | 'fail' | 'floatBadQuery' }
  | { readonly do: 'effect'; readonly table: string; readonly ms?: number }

/** What a worker process says: its events, and the steps that its jobs begin. */
interface Line {
  readonly type: string
  readonly id?: string
  readonly fence?: number
  readonly attempt?: number
  readonly workerId?: string
  readonly newWorkerId?: string
  readonly where?: string
  readonly error?: string
}

/** Which worker to run. */
export interface WorkerProcessOptions {
  readonly url: string
  readonly schema: string
  readonly queues: readonly { name: string; concurrency?: number; transactional?: boolean }[]
  /** What it declares. */
  readonly schedules?: readonly { queue: string; rule: ScheduleRule; name: string }[]
  readonly options?: WorkerOptions
}

/** A worker in a process of its own. */
export interface WorkerProcess {
  readonly pid: number
  /** Everything it has said so far. */
  readonly lines: readonly Line[]
  /** What it wrote to stderr. */
  readonly complaint: string
  /** Waits for a line of this type, about one job if an id is given. */
  said(type: string, id?: string, withinMs?: number): Promise<Line>
  kill(signal: NodeJS.Signals): void
  /** Whether the process has ended. */
  readonly isGone: boolean
  /** Resolves when it has. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

const fixture = fileURLToPath(new URL('../fixtures/worker.mjs', import.meta.url))

/** Starts a worker process and waits until it works. It is killed when the test or the file ends. */
export async function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const child: ChildProcess = spawn(process.execPath, [fixture, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  const lines: Line[] = []
  let complaint = ''
  if (!child.stdout || !child.stderr || child.pid === undefined) throw new Error('the worker did not start')
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as Line))
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  let isGone = false
  const exited = once(child, 'close').then(([code, signal]) => {
    isGone = true
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  cleanUpAfterwards(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const worker: WorkerProcess = {
    pid: child.pid,
    lines,
    get isGone() {
      return isGone
    },
    get complaint() {
      return complaint
    },
    said: (type, id, withinMs) =>
      until(
        `the worker says ${type} ${id ?? ''}; it said:\n${complaint}`,
        () => {
          const found = lines.find((line) => line.type === type && (id === undefined || line.id === id))
          if (!found && isGone) throw new Error(`the worker is gone and never said ${type}:\n${complaint}`)
          return found
        },
        withinMs,
      ),
    kill: (signal) => void child.kill(signal),
    exited,
  }
  await worker.said('ready')
  return worker
}
