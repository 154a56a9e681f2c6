// oxlint-disable vitest/expect-expect -- liveAWholeLife expects
import pg from 'pg'
import { expect, test } from 'vitest'
import { createPgq, defineQueue, handle } from '../src/index.ts'
import { HistoryStore } from '../src/store/history-store.ts'
import { PgDatabase } from '../src/store/pg-database.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'
import { work } from '@pgq/test-support'

const NAMES = [
  'we"ird',
  'a b',
  '$body$',
  '$v7$',
  '$1',
  'sélect',
  'Select',
  `'; drop schema x; --`,
  'back\\slash\\',
  `it's a.b /* %s%I {}[]\n😀`,
  'x'.repeat(63),
]

/** Everything that names the schema, once. */
async function liveAWholeLife(schema: string, connectionString?: string): Promise<void> {
  const options = connectionString === undefined ? { schema } : { schema, connectionString }
  const { pgq, pool, sql } = await freshQueue(options)
  const space = pg.escapeIdentifier(schema)
  await pgq.check()
  expect((await pgq.migrate()).applied).toEqual([])

  const queue = defineQueue<{ fail: boolean }>('it’s "a" queue; --')
  const { id } = await pgq.enqueue(queue, { fail: false }, { uniqueKey: 'k' })
  const [bySql] = await sql(`SELECT * FROM ${space}.enqueue($1, '{"fail": true}', max_attempts => 1)`, [
    queue.name,
  ])
  const [byInsert] = await sql(
    `INSERT INTO ${space}.jobs (queue_name, payload) VALUES ($1, '{}') RETURNING id`,
    [queue.name],
  )
  expect(await pgq.cancel(byInsert.id)).toBe(1)

  const completed = collect(pgq, 'job.completed')
  const dead = collect(pgq, 'job.dead')
  const errors = collect(pgq, 'error')
  await work(pgq, [
    handle(queue, (job) => {
      if (job.payload.fail) throw new Error(schema)
    }),
  ])
  await expect.poll(() => [completed.length, dead.length], { timeout: 10_000 }).toEqual([1, 1])
  expect(await pgq.get(id)).toMatchObject({ status: 'completed' })
  expect(await pgq.get(bySql.id)).toMatchObject({ status: 'dead', error: schema })
  expect(await pgq.get(byInsert.id)).toMatchObject({ status: 'cancelled' })
  expect(await pgq.redrive({ queue })).toBe(1)
  await expect.poll(() => dead.length, { timeout: 10_000 }).toBe(2)
  await sql(`UPDATE ${space}.jobs SET status = 'pending', payload = '{"fail": false}' WHERE id = $1`, [
    bySql.id,
  ])
  await expect.poll(() => completed.length, { timeout: 10_000 }).toBe(2)
  expect(await pgq.delete({ queue, status: ['completed', 'cancelled'] })).toBe(3)
  expect(errors).toEqual([])

  const history = new HistoryStore(tablesIn(schema))
  const database = new PgDatabase({ pool, schema, ours: false })
  await sql(`CREATE TABLE ${space}.jobs_completed_20200101 PARTITION OF ${space}.jobs_completed
             FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00')`)
  expect(await history.dropDays(database, 86_400_000)).toEqual(['2020-01-01'])
  expect(await history.makeDays(database)).toEqual([])
  const [today] = await sql(`SELECT to_char(now() AT TIME ZONE 'UTC' + interval '7 days', 'YYYYMMDD') AS day`)
  await sql(`DROP TABLE ${space}.jobs_completed_${today.day}`)
  expect(await history.makeDays(database)).toHaveLength(1)
}

test.each(NAMES.map((name) => [JSON.stringify(name), name]))(
  'a schema may be called %s',
  async (_shown, schema) => {
    await liveAWholeLife(schema)
  },
)

test('a backslash in the name does no harm where backslashes escape', async () => {
  const url = new URL((await freshQueue()).databaseUrl)
  url.searchParams.set('options', '-c standard_conforming_strings=off -c escape_string_warning=off')
  await liveAWholeLife(`o\\'; SELECT 1 / 0; --`, url.href)
})

test.each([
  ['empty text', ''],
  ['64 bytes', 'x'.repeat(64)],
  ['64 bytes of fewer characters', 'é'.repeat(32)],
  ['NUL', 'a\0b'],
  ['what PostgreSQL keeps for itself', 'pg_x'],
  ['half a surrogate pair', 'a\ud800'],
  ['no text', 5],
])('a schema name of %s is refused', (_what, schema) => {
  const make = (): unknown =>
    createPgq({ connectionString: 'postgres://localhost/none', schema: schema as string })
  expect(make).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('schema') }),
  )
})
