import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createPgq, type Pgq } from '@pgq/core'
import { type FreshQueue, freshQueueWith, unmigratedQueueWith } from '@pgq/test-support'
import { type Run, runHere } from './run-here.ts'

/** The program as it is built and published. */
export const MAIN: string = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
export const FIXTURES: string = fileURLToPath(new URL('../fixtures', import.meta.url))

/** A queue in a schema of its own, and the program to look after it. */
export interface CliQueue extends FreshQueue<Pgq> {
  /** What leads the program to it. */
  readonly env: NodeJS.ProcessEnv
  /** Runs the program as a script would, without a terminal; in this process, which starts faster. */
  readonly run: (...args: readonly string[]) => Promise<Run>
  /** The same, with what it answers as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows what it asks for
  readonly json: (...args: readonly string[]) => Promise<Run & { readonly answer: any }>
}

/** Makes one, migrated unless it says otherwise. It is gone when the test ends. */
export async function cliQueue({ migrated = true } = {}): Promise<CliQueue> {
  const fresh = migrated ? await freshQueueWith(createPgq) : unmigratedQueueWith(createPgq)
  const env = { ...bareEnvironment(), DATABASE_URL: fresh.databaseUrl, PGQ_SCHEMA: fresh.schema }
  const run = (...args: readonly string[]): Promise<Run> => runHere(args, env)
  return {
    ...fresh,
    env,
    run,
    json: async (...args) => {
      const done = await run(...args, '--json')
      return { ...done, answer: done.stdout === '' ? undefined : JSON.parse(done.stdout) }
    },
  }
}

/** Runs the program in a process of its own, without a terminal. */
export function runPgq(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  return runProgram(process.execPath, [MAIN, ...args], env)
}

/** Runs a program to its end. */
export function runProgram(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** This process's environment without what the program itself goes by. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env }
  for (const name of Object.keys(env))
    if (/^(PG|DATABASE_URL|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|VITEST)/.test(name)) delete env[name]
  return env
}
