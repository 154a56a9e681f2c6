import { existsSync } from 'node:fs'
import path from 'node:path'
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { type Postgres, type PostgresOptions, startPostgres } from '../src/index.ts'
import { defaultMajor } from '../src/majors.ts'
import { query } from './query.ts'

const started: Postgres[] = []

async function start(options?: PostgresOptions): Promise<Postgres> {
  const postgres = await startPostgres(options)
  started.push(postgres)
  return postgres
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((postgres) => postgres.stop()))
})

test('several servers in parallel have ports and data of their own', async () => {
  const servers = await Promise.all([start(), start(), start()])
  expect(new Set(servers.map((server) => server.port)).size).toBe(3)
  await Promise.all(servers.map(({ url, port }) => query(url, `CREATE TABLE made_by_${port} (x int)`)))
  for (const { url, port } of servers) {
    const tables = await query(url, `SELECT relname FROM pg_class WHERE relname LIKE 'made_by_%'`)
    expect(tables).toEqual([{ relname: `made_by_${port}` }])
  }
})

test('stop leaves no server and no directory, even while a client is connected, and may be called twice', async () => {
  const postgres = await start()
  const client = new Client({ connectionString: postgres.url })
  client.on('error', () => {})
  await client.connect()
  await Promise.all([postgres.stop(), postgres.stop()])
  expect(postgres.pid).toBeUndefined()
  expect(existsSync(path.dirname(postgres.dataDir))).toBe(false)
  await expect(query(postgres.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED')
  await expect(postgres.restart('fast')).rejects.toThrow('was stopped')
})

test('a restart keeps the port and what was committed, also after a crash', async () => {
  const postgres = await start()
  await query(postgres.url, 'CREATE TABLE step (name text)')
  const { pid } = postgres
  for (const mode of ['fast', 'immediate'] as const) {
    await postgres.restart(mode)
    await query(postgres.url, `INSERT INTO step VALUES ('${mode}')`)
  }
  await postgres.kill()
  await expect(query(postgres.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED')
  await postgres.restart('fast')
  expect(await query(postgres.url, 'SELECT name FROM step')).toEqual([
    { name: 'fast' },
    { name: 'immediate' },
  ])
  expect(postgres.pid).not.toBe(pid)
})

test('a server is of the major that was asked for, in UTF-8, and does not sync', async () => {
  const { url, major } = await start({ settings: { max_connections: '17' } })
  const settings = await query<{ name: string; setting: string }>(
    url,
    `SELECT name, setting FROM pg_settings WHERE name IN
      ('fsync', 'full_page_writes', 'max_connections', 'server_encoding', 'synchronous_commit', 'server_version_num')`,
  )
  const byName = Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))
  expect(Math.floor(Number(byName['server_version_num']) / 10_000)).toBe(major)
  expect(major).toBe(defaultMajor())
  delete byName['server_version_num']
  expect(byName).toEqual({
    fsync: 'off',
    full_page_writes: 'off',
    max_connections: '17',
    server_encoding: 'UTF8',
    synchronous_commit: 'on',
  })
})

test('a durable server syncs what it commits, and keeps its data off memory', async () => {
  const { url, dataDir } = await start({ durable: true })
  const [row] = await query(
    url,
    `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`,
  )
  expect(row).toEqual({ fsync: 'on', commit: 'on' })
  expect(dataDir).not.toMatch(/^\/dev\/shm/)
})

test('a setting that the server refuses is an error that says so, and leaves nothing', async () => {
  await expect(start({ settings: { max_connections: 'many' } })).rejects.toThrow(
    /PostgreSQL did not start:[^]*invalid value for parameter "max_connections"/,
  )
})

test('a major that does not exist is an error that names those that do', async () => {
  await expect(start({ major: 9 })).rejects.toThrow('No PostgreSQL 9 here; there is 14, 15, 16, 17, 18')
})
