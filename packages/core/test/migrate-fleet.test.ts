import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { type FreshQueue, unmigratedQueue } from './support/fresh-queue.ts'
import { schemaText } from './support/schema-text.ts'

const FIXTURE = fileURLToPath(new URL('fixtures/migrate.mjs', import.meta.url))
const PROCESSES = 50
const KILLED_WHILE_WAITING = 10
const KILLED_WHILE_MIGRATING = 3

interface Migrating {
  readonly name: string
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | null; output: string }>
}

function startMigrating(databaseUrl: string, schema: string, name: string): Migrating {
  const url = new URL(databaseUrl)
  url.searchParams.set('application_name', name)
  const child = spawn(process.execPath, [FIXTURE, url.href, schema], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (data) => (output += String(data)))
  child.stderr.on('data', (data) => (output += String(data)))
  return {
    name,
    child,
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, output })),
  }
}

/** Who holds the advisory lock of the fleet's migrations, and who waits for it. */
const lockers = async ({ sql }: FreshQueue, granted: boolean, prefix: string): Promise<string[]> => {
  const rows = await sql<{ application_name: string }>(
    `SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'advisory' AND granted = $1 AND application_name LIKE $2 || '%'`,
    [granted, prefix],
  )
  return rows.map((row) => row.application_name)
}

test('of fifty processes that migrate at once one does it, even if some are killed half-way', async () => {
  const fleet = unmigratedQueue()
  const { databaseUrl, schema, pool } = fleet
  const gate = await pool.connect()
  await gate.query('BEGIN')
  await gate.query(`SELECT pg_advisory_xact_lock(hashtextextended('pgq.migrate:' || $1, 0))`, [schema])

  const processes = Array.from({ length: PROCESSES }, (_, n) =>
    startMigrating(databaseUrl, schema, `${schema}-${n}`),
  )
  const victims = new Set<string>()
  const kill = (name: string): void => {
    victims.add(name)
    processes.find((one) => one.name === name)?.child.kill('SIGKILL')
  }
  await vi.waitFor(async () => expect(await lockers(fleet, false, schema)).toHaveLength(PROCESSES), {
    timeout: 30_000,
    interval: 100,
  })
  for (const { name } of processes.slice(0, KILLED_WHILE_WAITING)) kill(name)
  await gate.query('COMMIT')
  gate.release()
  await vi.waitFor(
    async () => {
      for (const name of await lockers(fleet, true, schema)) kill(name)
      const migrated = await fleet.sql(`SELECT FROM pg_namespace WHERE nspname = $1`, [schema])
      if (victims.size < KILLED_WHILE_WAITING + KILLED_WHILE_MIGRATING && migrated.length === 0)
        throw new Error('not enough of them were killed yet')
    },
    { timeout: 20_000, interval: 1 },
  )

  expect(victims.size, 'how many were killed').toBeGreaterThan(KILLED_WHILE_WAITING)
  const survivors = processes.filter(({ name }) => !victims.has(name))
  const outcomes = await Promise.all(survivors.map(({ ended }) => ended))
  expect(outcomes.filter(({ code }) => code !== 0)).toEqual([])
  const alone = unmigratedQueue()
  const single = await startMigrating(databaseUrl, alone.schema, 'alone').ended
  expect(single.code).toBe(0)
  // The one that migrated may have been killed after its commit.
  expect(outcomes.filter(({ output }) => output !== '[]').length).toBeLessThanOrEqual(1)
  expect(await schemaText(fleet)).toBe(await schemaText(alone))
})
