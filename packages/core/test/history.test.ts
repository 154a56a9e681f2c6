import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { openSession } from './support/session.ts'
import { until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

/** The days that have a partition, relative to today in UTC. */
async function days({ sql, schema }: FreshQueue): Promise<number[]> {
  const rows = await sql(
    `SELECT to_date(right(relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'UTC')::date AS day
     FROM pg_class WHERE relnamespace = $1::regnamespace AND relname ~ '^jobs_completed_\\d{8}$' AND relkind = 'r' ORDER BY 1`,
    [schema],
  )
  return rows.map(({ day }) => day)
}

/** Makes the partition of a day in the past, as if it had been made then. */
async function makeDay({ sql, schema }: FreshQueue, ago: number): Promise<string> {
  const [row] = await sql(
    `SELECT to_char(day, 'YYYYMMDD') AS name, to_char(day, 'YYYY-MM-DD') AS day, to_char(day + 1, 'YYYY-MM-DD') AS next
     FROM (SELECT (now() AT TIME ZONE 'UTC')::date - $1::integer AS day) AS past`,
    [ago],
  )
  await sql(
    `CREATE TABLE ${schema}.jobs_completed_${row.name} PARTITION OF ${schema}.jobs_completed
     FOR VALUES FROM ('${row.day} 00:00:00+00') TO ('${row.next} 00:00:00+00')`,
  )
  return row.day
}

const insertEnded = ({ sql, schema }: FreshQueue, status: string, ago: string): Promise<{ id: string }[]> =>
  sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at) VALUES ('old', $1, now() - $2::interval) RETURNING id`,
    [status, ago],
  )

const lead = (fresh: FreshQueue): Promise<unknown> =>
  work(fresh.pgq, [handle(defineQueue('history'), () => 'kept')], { lease: '1s' })

const ahead = [0, 1, 2, 3, 4, 5, 6, 7]

test('migrate makes the partitions of today and a week to come', async () => {
  expect(await days(await freshQueue())).toEqual(ahead)
})

test('a leader makes those that are missing, unless the default partition has rows of that day', async () => {
  const fresh = await freshQueue()
  const { sql, schema } = fresh
  for (const day of [2, 5]) {
    await sql(`DO $$ BEGIN EXECUTE 'DROP TABLE ${schema}.jobs_completed_' ||
      to_char((now() AT TIME ZONE 'UTC')::date + ${day}, 'YYYYMMDD'); END $$`)
  }
  await insertEnded(fresh, 'completed', '-5 days') // a clock was wrong
  const errors = collect(fresh.pgq, 'error')
  await lead(fresh)
  await until('the missing one is made', async () => (await days(fresh)).includes(2))
  await sleep(200)
  expect(await days(fresh)).toEqual([0, 1, 2, 3, 4, 6, 7])
  expect(errors).toEqual([])
})

test('completed jobs are in the partition of their day, with everything they had', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const completed = collect(pgq, 'job.completed')
  await lead(fresh)
  const { id } = await pgq.enqueue(defineQueue('history'), { n: 1 }, { uniqueKey: 'k', metadata: { m: 1 } })
  await until('it is done', () => completed.length === 1)
  const rows = await sql(
    `SELECT tableoid::regclass::text = $2 || '.jobs_completed_' || to_char(completed_at AT TIME ZONE 'UTC', 'YYYYMMDD') AS in_day,
            payload, result, metadata, unique_key, attempts, fence, locked_by, completed_at >= started_at AS in_order
     FROM ${schema}.jobs WHERE id = $1`,
    [id, schema],
  )
  expect(rows).toEqual([
    {
      in_day: true,
      payload: { n: 1 },
      result: 'kept',
      metadata: { m: 1 },
      unique_key: 'k',
      attempts: 1,
      fence: 1,
      locked_by: null,
      in_order: true,
    },
  ])
})

test('days past the retention are dropped with their jobs, and what lies in no day is deleted', async () => {
  const fresh = await freshQueue({ retention: { completed: '3d', dead: '2d' } })
  const { pgq } = fresh
  const oldDays = [await makeDay(fresh, 9), await makeDay(fresh, 5)]
  await makeDay(fresh, 3) // partly within
  const kept: string[] = []
  const gone: string[] = []
  for (const [list, status, ago] of [
    [gone, 'completed', '9 days'],
    [gone, 'completed', '5 days'],
    [gone, 'completed', '20 days'], // in the default partition
    [gone, 'dead', '49 hours'],
    [gone, 'cancelled', '30 days'],
    [kept, 'completed', '71 hours'],
    [kept, 'completed', '1 hour'],
    [kept, 'dead', '47 hours'],
    [kept, 'cancelled', '1 minute'],
  ] as const) {
    const [row] = await insertEnded(fresh, status, ago)
    if (row) list.push(row.id)
  }
  const dropped = collect(pgq, 'history.dropped')
  await lead(fresh)
  await until('all of it has gone', async () => {
    const left = await Promise.all(gone.map((id) => pgq.get(id)))
    return left.every((job) => job === null)
  })
  expect(await days(fresh)).toEqual([-3, ...ahead])
  for (const id of kept) expect(await pgq.get(id)).not.toBeNull()
  await until('it is told', () => dropped.length >= 1)
  expect(dropped.flatMap((event) => event.days)).toEqual(oldDays.toSorted())
  expect(dropped.reduce((sum, event) => sum + event.jobs, 0)).toBe(3)
})

test('a large number of old dead jobs is deleted in bites, one after the other', async () => {
  const fresh = await freshQueue({ retention: { dead: '1d' } })
  const { pgq, sql, schema } = fresh
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at)
     SELECT 'old', 'dead', now() - interval '2 days' FROM generate_series(1, 2500)`,
  )
  const dropped = collect(pgq, 'history.dropped')
  await lead(fresh)
  await until('all are gone', async () => (await sql(`SELECT FROM ${schema}.jobs_dead LIMIT 1`)).length === 0)
  await until('it is told', () => dropped.length === 3)
  expect(dropped.map(({ jobs }) => jobs)).toEqual([1_000, 1_000, 500])
})

test('a lock that somebody holds on the history delays it and hangs nothing', async () => {
  const fresh = await freshQueue({ retention: { completed: '3d' } })
  const { pgq, schema, databaseUrl } = fresh
  await makeDay(fresh, 9)
  const { client } = await openSession(databaseUrl)
  await client.query('BEGIN')
  await client.query(`SELECT count(*) FROM ${schema}.jobs_completed`) // a long report
  const errors = collect(pgq, 'error')
  const completed = collect(pgq, 'job.completed')
  await lead(fresh)
  await until('it gave up for now', () => errors.length > 0)
  expect(errors[0]).toMatchObject({ where: 'keeping the history', error: { sqlState: '55P03' } })
  await pgq.enqueue(defineQueue('history'), null)
  await until('jobs complete meanwhile', () => completed.length === 1)
  await client.query('COMMIT')
  await until('it was tried again', async () => !(await days(fresh)).includes(-9))
})

test('while somebody locks the history for himself the leader goes on claiming and settling, and stops', async () => {
  const fresh = await freshQueue({ retention: { completed: '3d' } })
  const { pgq, schema, databaseUrl } = fresh
  const { client } = await openSession(databaseUrl)
  await client.query('BEGIN')
  // What VACUUM FULL, ALTER TABLE or a migration tool would take.
  await client.query(`LOCK TABLE ${schema}.jobs_dead, ${schema}.jobs_completed_default`)
  const completed = collect(pgq, 'job.completed')
  const elected = collect(pgq, 'leader.elected')
  const worker = await work(pgq, [handle(defineQueue('history'), () => {})], { lease: '1s' })
  await until('it leads', () => elected.length === 1)
  for (let n = 1; n <= 5; n++) {
    await sleep(300)
    await pgq.enqueue(defineQueue('history'), null)
    await until('the job completes', () => completed.length === n, 3_000)
  }
  const startedAt = performance.now()
  await worker.stop()
  expect(performance.now() - startedAt).toBeLessThan(12_000)
  await client.query('COMMIT')
})
