import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cleanUpAfterwards, dropSchema, freshName } from '@pgq/test-support'
import { createPgq, type Pgq } from '@pgq/core'
import pg from 'pg'
import { inject } from 'vitest'

/** The program as it is built and published. */
export const MAIN: string = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
export const FIXTURES: string = fileURLToPath(new URL('../fixtures', import.meta.url))

/** How a run of the program ended. */
export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A queue in a schema of its own, and the program to look after it. */
export interface Bench {
  readonly pgq: Pgq
  readonly schema: string
  readonly env: NodeJS.ProcessEnv
  /** Runs the program as a script would: without a terminal. */
  readonly run: (...args: readonly string[]) => Promise<Run>
  /** The same, with what it answers as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows what it asks for
  readonly json: (...args: readonly string[]) => Promise<Run & { readonly answer: any }>
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows the rows that it asks for
  readonly sql: (text: string, values?: unknown[]) => Promise<any[]>
}

/** Makes one, migrated unless it says otherwise. It is gone when the test ends. */
export async function queueForTest({ migrated = true } = {}): Promise<Bench> {
  const url = inject('databaseUrl')
  const schema = freshName()
  const pgq = createPgq({ connectionString: url, schema })
  const pool = new pg.Pool({ connectionString: inject('directUrl') })
  pool.on('error', () => {})
  cleanUpAfterwards(async () => {
    await pgq.close()
    await dropSchema(pool, schema)
    await pool.end()
  })
  if (migrated) await pgq.migrate()
  const env = { ...bareEnvironment(), DATABASE_URL: url, PGQ_SCHEMA: schema }
  const run = (...args: readonly string[]): Promise<Run> => runPgq(args, env)
  return {
    pgq,
    schema,
    env,
    run,
    json: async (...args) => {
      const done = await run(...args, '--json')
      return { ...done, answer: done.stdout === '' ? undefined : JSON.parse(done.stdout) }
    },
    sql: async (text, values) => (await pool.query(text, values)).rows,
  }
}

/** Runs the program without a terminal. */
export function runPgq(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
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
