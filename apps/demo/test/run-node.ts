import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a program ended. */
export interface Ending {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a file of this app with Node, and waits for its end. */
export function runNode(
  file: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Ending> {
  const path = fileURLToPath(new URL(`../${file}`, import.meta.url))
  const options = { env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 }
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [path, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    })
  })
}
