import pg from 'pg'
import { createPgq } from '@pgq/core'
import { cleanUpAfterwards } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { freshQueue } from './support/fresh-queue.ts'
import { visit } from './support/visitor.ts'

/** Tables that grow with the jobs. What is processing, and the queues, workers and schedules, are few. */
const LARGE = /^jobs_(waiting|completed|dead)/
const ROWS = 20_000

/** What every page asks for. */
const questions = (id: string): string[] => [
  'api/queues',
  'api/history?since=24h',
  'api/jobs',
  'api/jobs?status=pending,failed&queue=q1',
  'api/jobs?status=dead&queue=q1',
  'api/jobs?payload=needle&error=needle&queue=q2',
  'api/jobs?payload=%7B%22needle%22%3A1%7D',
  'api/jobs?before=2020-01-01T00:00Z',
  'api/jobs/count',
  'api/jobs/count?error=needle',
  `api/jobs/${id}`,
  'api/workers',
  'api/schedules',
  'api/dead',
  'api/dead?queue=q1',
]

test('no page scans a table of jobs', { timeout: 120_000 }, async () => {
  const { schema, databaseUrl, sql } = await freshQueue()
  // One connection: what it has done is known once it was asked to say so.
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
  cleanUpAfterwards(() => pool.end())
  const pgq = createPgq({ pool, schema })
  await sql(`
    INSERT INTO ${schema}.jobs (queue_name, status, payload, completed_at, error, scheduled_for)
    SELECT 'q' || n % 3, kind.status, '{"n": 1}', CASE WHEN kind.status IN ('dead', 'completed') THEN now() END, 'failed ' || n,
           now() + (n % 2 - 0.5) * interval '1 h'
    FROM generate_series(1, ${ROWS}) AS n, (VALUES ('pending'), ('dead'), ('completed')) AS kind (status)`)
  const [{ id }] = await sql(`SELECT id FROM ${schema}.jobs WHERE status = 'dead' LIMIT 1`)
  const scans = async (): Promise<Record<string, number>> => {
    await pool.query('SELECT pg_stat_force_next_flush()')
    await pool.query('SELECT')
    const { rows } = await pool.query(
      `SELECT relname, seq_scan::int AS scans FROM pg_stat_user_tables WHERE schemaname = $1`,
      [schema],
    )
    return Object.fromEntries(
      rows.filter(({ relname }) => LARGE.test(relname)).map((row) => [row.relname, row.scans]),
    )
  }
  const before = await scans()
  expect(Object.keys(before).length).toBeGreaterThan(3)
  const { get } = visit(pgq)
  for (const path of questions(id)) {
    const response = await get(path)
    expect(response.status, path).toBe(200)
    await response.body?.cancel()
    expect(await scans(), path).toEqual(before)
  }
  await pool.query(`SELECT count(*) FROM ${schema}.jobs_dead`)
  expect(await scans(), 'a scan would be seen').not.toEqual(before)
})
