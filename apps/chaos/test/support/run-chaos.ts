import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a run of the harness ended. */
export interface Ending {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** Runs the harness as its command does, and waits for its end. */
export function runChaos(args: readonly string[]): Promise<Ending> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    })
  })
}
