import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a run of the benchmark ended. */
export interface Ending {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** Runs the benchmark as its command does, and waits for its end. */
export function runBench(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ending> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } }
    const child = execFile(process.execPath, [main, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    })
  })
}
