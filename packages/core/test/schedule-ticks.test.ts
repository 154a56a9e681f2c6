import { expect, test } from 'vitest'
import { schedule } from '../src/index.ts'
import { newJobId } from '../src/job/job-id.ts'
import { defineQueue } from '../src/job/queue.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { PgDatabase } from '../src/store/pg-database.ts'
import { ScheduleStore, type TickPlan } from '../src/store/schedule-store.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'

const queue = defineQueue('ticks')
const TICK = 1_700_000_000_000

/** A schedule that is due, and two leaders that have both seen it. */
async function twoLeaders() {
  const fresh = await freshQueue()
  await fresh.pgq.schedules.upsert(schedule(queue, { every: '1h' }, 1))
  const store = new ScheduleStore(tablesIn(fresh.schema))
  const database = new PgDatabase({ pool: fresh.pool, schema: fresh.schema, ours: false })
  const plan = async (): Promise<TickPlan> => {
    const [due] = await store.due(database, 10)
    if (!due) throw new Error('nothing is due')
    return { due, ticks: [{ id: newJobId(), atMs: TICK }], droppedMs: undefined, nextMs: TICK + 3_600_000 }
  }
  const tick = async (what: TickPlan): Promise<string[]> => [...(await store.tick(database, [what])).moved]
  return { ...fresh, plan, tick, database, store }
}

const jobs = async ({ pgq }: FreshQueue): Promise<number> => (await pgq.list({ queue })).jobs.length

test('two leaders that saw the same tick enqueue one job, together or one after the other', async () => {
  const leaders = await twoLeaders()
  const plans = await Promise.all(Array.from({ length: 8 }, leaders.plan))
  const moved = await Promise.all(plans.slice(0, 6).map(leaders.tick))
  for (const late of plans.slice(6)) moved.push(await leaders.tick(late))
  expect(moved.flat()).toEqual(['ticks'])
  expect(await jobs(leaders)).toBe(1)
})

test.each([
  ['was paused', 'paused_at = now()'],
  ['has another rule', `every_ms = 7200000`],
  ['has another time zone', `timezone = 'Asia/Tokyo'`],
  ['rests', 'retired_at = now()'],
  ['was moved by hand', `next_at = next_at + interval '1 us'`],
])('a tick is not run when the schedule %s meanwhile', async (_what, change) => {
  const leaders = await twoLeaders()
  const { sql, schema } = leaders
  await sql(`UPDATE ${schema}.schedules SET next_at = '2020-01-01'`)
  const plan = await leaders.plan()
  await sql(`UPDATE ${schema}.schedules SET ${change}`)
  expect(await leaders.tick(plan)).toEqual([])
  expect(await jobs(leaders)).toBe(0)
})

test('a first tick that was worked out by another rule is not run', async () => {
  const leaders = await twoLeaders()
  const plan = await leaders.plan()
  await leaders.sql(`UPDATE ${leaders.schema}.schedules SET every_ms = 7200000`)
  expect(await leaders.tick(plan)).toEqual([])
  expect(await jobs(leaders)).toBe(0)
})

test('a schedule that an open transaction holds is left for the next look, and nobody waits', async () => {
  const leaders = await twoLeaders()
  const plan = await leaders.plan()
  const holder = await leaders.pool.connect()
  try {
    await holder.query('BEGIN')
    await holder.query(`UPDATE ${leaders.schema}.schedules SET payload = '2'`)
    expect(await leaders.tick(plan)).toEqual([])
    await holder.query('COMMIT')
  } finally {
    holder.release()
  }
  expect(await leaders.tick(plan)).toEqual(['ticks'])
  expect((await leaders.pgq.list({ queue })).jobs).toMatchObject([
    { payload: 2, scheduledFor: new Date(TICK) },
  ])
})

test('moving on and the job are one: if the job cannot be written the tick is still to come', async () => {
  const leaders = await twoLeaders()
  const { sql, schema } = leaders
  await sql(`UPDATE ${schema}.schedules SET options = '{"max_attempts": 0}'`)
  const plan = await leaders.plan()
  await expect(leaders.tick(plan)).rejects.toThrow(expect.objectContaining({ code: 'DATABASE_REJECTED' }))
  expect(await leaders.pgq.schedules.get('ticks')).toMatchObject({ nextAt: null, lastAt: null })
  await sql(`UPDATE ${schema}.schedules SET options = '{}'`)
  expect(await leaders.tick(plan)).toEqual(['ticks'])
  expect(await jobs(leaders)).toBe(1)
})

test('a look reads what is due and one more, whatever the number of schedules', async () => {
  const leaders = await twoLeaders()
  const { sql, schema } = leaders
  await sql(`INSERT INTO ${schema}.schedules (name, queue_name, every_ms, next_at)
    SELECT 'later ' || n, 'q', 1000, now() + n * interval '1 h' FROM generate_series(1, 5000) AS n`)
  const found = await leaders.store.due(leaders.database, 100)
  expect(found.map(({ name }) => name)).toEqual(['ticks', 'later 1'])
})

test('what lost workers declare counts no more, though their rows are still there', async () => {
  const { sql, schema } = await freshQueue()
  const worker = async (cron: string, ...names: string[]): Promise<string> => {
    const [{ id }] = await sql(
      `INSERT INTO ${schema}.workers (id, name, hostname, pid, queues, concurrency, lease_until)
       VALUES (gen_random_uuid(), 'w', 'h', 1, '{ticks}', 1, now() + interval '1 hour') RETURNING id`,
    )
    const definitions = names.map((name) => ({ name, queue: 'ticks', cron }))
    await sql(`SELECT ${schema}.declare_schedules($1, $2)`, [id, JSON.stringify(definitions)])
    return id
  }
  const read = () =>
    sql(`SELECT name, cron, retired_at IS NOT NULL AS retired FROM ${schema}.schedules ORDER BY name`)
  await worker('1 * * * *', 'both')
  const newer = await worker('2 * * * *', 'both', 'newer')
  expect(await read()).toEqual([
    { name: 'both', cron: '2 * * * *', retired: false },
    { name: 'newer', cron: '2 * * * *', retired: false },
  ])
  await sql(`UPDATE ${schema}.workers SET lost_at = now() WHERE id = $1`, [newer])
  await sql(`SELECT ${schema}.sync_schedules()`)
  expect(await read()).toEqual([
    { name: 'both', cron: '1 * * * *', retired: false },
    { name: 'newer', cron: '2 * * * *', retired: true },
  ])
})

test('a tick that was due when its rule was changed is kept for the new rule, unless it is old', async () => {
  const { sql, schema, pgq } = await freshQueue()
  await pgq.schedules.upsert(schedule(queue, { every: '1h' }, 1))
  const changed = async (dueFor: string, everyMs: number): Promise<boolean> => {
    await sql(`UPDATE ${schema}.schedules SET next_at = now() - interval '${dueFor}'`)
    const [{ kept }] = await sql(
      `WITH before AS (SELECT next_at FROM ${schema}.schedules)
       UPDATE ${schema}.schedules AS known SET every_ms = ${everyMs} FROM before RETURNING known.since = before.next_at AS kept`,
    )
    return kept
  }
  expect(await changed('20 s', 1_000)).toBe(true)
  expect(await changed('2 min', 2_000)).toBe(false)
})
