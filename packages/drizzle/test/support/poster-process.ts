import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from '@pgq/test-support'

/** The worker of `fixtures/poster.mjs`. */
export interface PosterProcess {
  /** Waits until it says that. */
  said(type: 'ready' | 'written' | 'completed'): Promise<unknown>
  /** Kills it by its id, without any chance to clean up, and waits until it is gone. */
  kill(): Promise<void>
}

const fixture = fileURLToPath(new URL('../fixtures/poster.mjs', import.meta.url))

/** Starts it on the version of Drizzle that is under test. */
export async function startPoster(options: {
  readonly url: string
  readonly schema: string
  readonly waitMs: number
}): Promise<PosterProcess> {
  const drizzleOrm =
    process.env['DRIZZLE_ORM'] ?? fileURLToPath(new URL('../../node_modules/drizzle-orm', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [fixture, JSON.stringify({ ...options, drizzleOrm })], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  })
  const lines: { type: string }[] = []
  if (!child.stdout) throw new Error('the worker did not start')
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as { type: string }))
  const gone = once(child, 'close')
  const poster: PosterProcess = {
    said: (type) => until(`the worker says ${type}`, () => lines.some((line) => line.type === type)),
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
  }
  onTestFinished(() => poster.kill())
  await poster.said('ready')
  return poster
}
