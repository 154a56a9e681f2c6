import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { oldestDue } from '../src/sql/read-jobs.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { explain } from './support/explain.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { openSession } from './support/session.ts'

test('the backlog of a queue is the age of its oldest due job, whatever its priority', async () => {
  const { pgq, sql, schema } = await freshQueue()
  expect(await pgq.backlog()).toEqual([])
  const age = (queue: string, priority: number, status: string, seconds: number): Promise<unknown> =>
    sql(
      `INSERT INTO ${schema}.jobs (queue_name, priority, status, scheduled_for) VALUES ($1, $2, $3, clock_timestamp() - $4 * interval '1 s')`,
      [queue, priority, status, seconds],
    )
  await age('a', 0, 'pending', 10)
  await age('a', 5, 'failed', 60)
  await age('a', -5, 'pending', 5)
  await age('b', 0, 'pending', -60)
  await age('c', 7, 'pending', -60)
  await age('c', 8, 'pending', 1)
  await age('d', 0, 'processing', 100)
  const backlog = await pgq.backlog()
  expect(backlog.map(({ queue }) => queue)).toEqual(['a', 'c'])
  expect(backlog[0]?.oldestDueMs).toBeGreaterThanOrEqual(60_000)
  expect(backlog[0]?.oldestDueMs).toBeLessThan(80_000)
  expect((await pgq.backlog({ queues: [defineQueue('c'), 'd'] })).map(({ queue }) => queue)).toEqual(['c'])
  await expect(pgq.backlog({ queues: [''] })).rejects.toThrow(
    expect.objectContaining({ code: 'INVALID_QUEUE' }),
  )
})

test('it costs the same whatever the backlog, by statistics of an empty table too', async () => {
  const { databaseUrl, schema, sql } = await freshQueue()
  await sql(`ALTER TABLE ${schema}.jobs_waiting SET (autovacuum_enabled = off)`)
  await sql(`ANALYZE ${schema}.jobs_waiting`)
  await sql(
    `INSERT INTO ${schema}.jobs_waiting (queue_name, priority, scheduled_for)
     SELECT 'q' || n % 5, n % 3, now() + (n % 7 - 3) * interval '1 h' FROM generate_series(1, 30000) AS n`,
  )
  const { client } = await openSession(databaseUrl)
  for (const mode of ['custom', 'generic'] as const) {
    const { nodes, buffers } = await explain(client, oldestDue(tablesIn(schema)), { queues: null }, mode)
    expect(nodes.filter((node) => node['Node Type'] === 'Seq Scan')).toEqual([])
    expect(buffers).toBeLessThan(150)
  }
})
