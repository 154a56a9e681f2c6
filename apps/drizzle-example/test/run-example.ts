import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a program ended. */
export interface Ending {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const directory = fileURLToPath(new URL('..', import.meta.url))

/** Starts the built example as a process, on a database, or on one of its own without one. */
export const runExample = (databaseUrl: string, ...args: string[]): Promise<Ending> =>
  run('dist/main.js', args, databaseUrl)

/** Starts drizzle-kit in the directory of the example. */
export const runDrizzleKit = (databaseUrl: string, ...args: string[]): Promise<Ending> =>
  run('node_modules/drizzle-kit/bin.cjs', args, databaseUrl)

function run(file: string, args: readonly string[], databaseUrl: string): Promise<Ending> {
  const options = { cwd: directory, env: { ...process.env, DATABASE_URL: databaseUrl } }
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [file, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    })
  })
}
