import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from '@pgq/test-support'

/** The application in a process of its own, as one starts it. */
export interface Example {
  readonly url: string
  /** Everything that it wrote. */
  readonly output: string
  readonly isGone: boolean
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** `fetch` with a path, as somebody. */
  readonly request: (path: string, init?: ExampleRequest) => Promise<Response>
}

/** A request to it. */
interface ExampleRequest {
  readonly method?: string
  /** @default ada */
  readonly as?: 'ada' | 'bob' | 'nobody'
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** Starts it, and waits until it listens. It is killed when the test ends. */
export async function startExample(
  env: Record<string, string>,
  ...args: readonly string[]
): Promise<Example> {
  const child: ChildProcess = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'], PORT: '0', MONTH_MS: '20', LEASE_MS: '1000', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  let isGone = false
  const exited = once(child, 'close').then(([code, signal]) => {
    isGone = true
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const url = await until('it listens', () => {
    if (isGone) throw new Error(`it is gone:\n${output}`)
    return /listening on (\S+)/.exec(output)?.[1]
  })
  return {
    url,
    get output() {
      return output
    },
    get isGone() {
      return isGone
    },
    kill: (signal) => void child.kill(signal),
    exited,
    request: (path, { method, as = 'ada', body, headers } = {}) =>
      fetch(url + path, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(as !== 'nobody' && { 'X-Api-Key': `${as}-key` }),
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
  }
}

/** The body of a response. */
// oxlint-disable-next-line typescript/no-explicit-any -- a test knows what it asked for
export async function json(response: Response): Promise<any> {
  return response.json()
}
