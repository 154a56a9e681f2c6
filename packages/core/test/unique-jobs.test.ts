import { until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { defineQueue, handle, schedule, type, type UniqueOptions } from '../src/index.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { HistoryStore } from '../src/store/history-store.ts'
import { KeyStore } from '../src/store/key-store.ts'
import { PgDatabase } from '../src/store/pg-database.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { type Doc, docs, keys, running } from './support/unique-docs.ts'

test('fields of the payload make the key, whatever their order, and in every way of enqueueing', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = docs({ fields: ['doc', 'at.x'] })
  const first = await pgq.enqueue(queue, { doc: 1, at: { x: 2 }, text: 'a' })
  const same = { id: first.id, deduplicated: true }
  expect(await pgq.enqueue(queue, { text: 'b', at: { x: 2 }, doc: 1 })).toEqual(same)
  const [one, other] = await pgq.enqueueMany(queue, [{ doc: 1, at: { x: 2 } }, { doc: 1 }])
  expect(one).toEqual(same)
  expect(other).toMatchObject({ deduplicated: false })
  await pgq.transaction(async (tx) =>
    expect(await pgq.enqueue(queue, { doc: 1, at: { x: 2 } }, { tx })).toEqual(same),
  )
  const calls = [1, 1, 2].map((doc) => pgq.enqueue(queue, { doc, at: { x: 7 } }))
  expect((await Promise.all(calls)).map((result) => result.deduplicated)).toEqual([false, true, false])
  const [bySql] = await sql(
    `SELECT * FROM ${schema}.enqueue('docs', '{"at": {"x": 2.0}, "doc": 1.00}', unique_fields => '{at.x,doc}')`,
  )
  expect(bySql).toEqual({ ...same, replaced: false })
  expect((await keys(fresh)).map((row) => row.unique_key)).toContain('{"doc": 1, "at.x": 2}')
})

test('the whole payload can be the key; long ones end in a hash; equal numbers are equal', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = docs({ fields: '*' })
  const text = 'ä'.repeat(1_000)
  const first = await pgq.enqueue(queue, { doc: 1, text })
  expect(await pgq.enqueue(queue, { text, doc: 1 })).toEqual({ id: first.id, deduplicated: true })
  expect(await pgq.enqueue(queue, { doc: 1, text: `${text}.` })).toMatchObject({ deduplicated: false })
  for (const { unique_key } of await keys(fresh))
    expect(unique_key).toMatch(/^\{"doc": 1, "text": "ä+\.{3}[0-9a-f]{64}$/)
  const key = async (payload: string): Promise<string> =>
    (await sql(`SELECT ${schema}.unique_key($1::text::jsonb, '{*}') AS key`, [payload]))[0].key
  expect(await key('{"b": [1.50, {"c": 1e2}], "a": -0.0}')).toBe('{"a": 0, "b": [1.5, {"c": 100}]}')
  expect(await key('{"b": 10, "a": "1.0"}')).toBe('{"a": "1.0", "b": 10}')
  expect(await key(String.raw`"\u00e9"`)).not.toBe(await key(String.raw`"e\u0301"`))
})

test('a payload without any of the fields is refused, by the call and by SQL', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue('docs', { unique: { fields: ['doc', 'a.b'] } })
  await expect(pgq.enqueue(queue, { a: 1 })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: 'the payload for queue "docs" has none of the unique fields a.b, doc',
  })
  await expect(pgq.enqueueMany(queue, [{ doc: null }, 7])).rejects.toMatchObject({
    message: expect.stringContaining('payload 1'),
  })
  await expect(sql(`SELECT ${schema}.enqueue('docs', '[]', unique_fields => '{doc}')`)).rejects.toMatchObject(
    {
      code: '22023',
    },
  )
  expect(await pgq.counts()).toEqual([])
})

test('a function makes the key; a call can give another, other rules, or none', async () => {
  const { pgq } = await freshQueue()
  const queue = docs({ key: ({ doc }) => `doc ${doc}`, onConflict: 'replace' })
  const first = await pgq.enqueue(queue, { doc: 1 })
  expect(await pgq.enqueue(queue, { doc: 1, text: 'new' })).toEqual({
    ...first,
    deduplicated: true,
    replaced: true,
  })
  expect(await pgq.enqueue(queue, { doc: 2 }, { uniqueKey: 'doc 1' })).toMatchObject({
    id: first.id,
    replaced: true,
  })
  expect((await pgq.get(first.id))?.payload).toEqual({ doc: 2 })
  expect(await pgq.enqueue(queue, { doc: 3 }, { unique: { key: 'doc 1' } })).toEqual({
    id: first.id,
    deduplicated: true,
  })
  expect((await pgq.get(first.id))?.payload).toEqual({ doc: 2 })
  expect(await pgq.enqueue(queue, { doc: 1 }, { unique: false })).toMatchObject({ deduplicated: false })
  const results = await pgq.enqueueMany(queue, [{ doc: 1 }, { doc: 4 }, { doc: 4 }])
  expect(results.map((result) => result.replaced)).toEqual([true, undefined, true])
  await expect(pgq.enqueue(queue, { doc: 1 }, { unique: { key: () => '' } })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  })
})

test('a period holds the key after the end of the job, and not after that of the period', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = docs({ fields: ['doc'], period: '1h' })
  const first = await pgq.enqueue(queue, { doc: 1 })
  await (await running(fresh)).complete()
  expect(await pgq.enqueue(queue, { doc: 1 })).toEqual({ id: first.id, deduplicated: true })
  // Retention and deletes are nothing to it: the row of the key says it all.
  await sql(`UPDATE ${schema}.unique_keys SET held_until = clock_timestamp()`)
  const second = await pgq.enqueue(queue, { doc: 1 })
  expect(second.deduplicated).toBe(false)
  // The period is over and it still waits: it holds the key as any job does.
  await sql(`UPDATE ${schema}.unique_keys SET held_until = clock_timestamp()`)
  expect(await pgq.enqueue(queue, { doc: 1 })).toEqual({ id: second.id, deduplicated: true })
  await (await running(fresh)).die()
  expect(await keys(fresh)).toEqual([])
})

test('a job that dies within its period gives its key back', async () => {
  const fresh = await freshQueue()
  const queue = docs({ fields: ['doc'], period: '1h' })
  const first = await fresh.pgq.enqueue(queue, { doc: 1 })
  await (await running(fresh)).die()
  const second = await fresh.pgq.enqueue(queue, { doc: 1 })
  expect(second).not.toMatchObject({ id: first.id })
  expect(second.deduplicated).toBe(false)
})

test('the statuses say which ends count within the period', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = docs({ key: 'k', period: '1h', statuses: ['pending', 'processing', 'failed', 'dead'] })
  const first = await pgq.enqueue(queue, { doc: 1 })
  await (await running(fresh)).complete()
  const second = await pgq.enqueue(queue, { doc: 1 })
  expect(second.id).not.toBe(first.id)
  await (await running(fresh)).die()
  expect(await pgq.enqueue(queue, { doc: 1 })).toEqual({ id: second.id, deduplicated: true })
  await pgq.delete(second.id)
  expect(await pgq.enqueue(queue, { doc: 1 })).toEqual({ id: second.id, deduplicated: true })
})

test('keys whose period is over go, unless their job still lives', async () => {
  const fresh = await freshQueue()
  const { pgq, pool, schema, sql } = fresh
  const queue = docs({ fields: ['doc'], period: '1h' })
  await pgq.enqueueMany(queue, [{ doc: 1 }])
  await (await running(fresh)).complete()
  const [waits] = await pgq.enqueueMany(queue, [{ doc: 2 }])
  const store = new HistoryStore(tablesIn(schema))
  const database = new PgDatabase({ pool, schema, ours: false })
  expect(await store.deleteExpiredKeys(database, 10)).toBe(0)
  await sql(`UPDATE ${schema}.unique_keys SET held_until = clock_timestamp()`)
  expect(await store.deleteExpiredKeys(database, 10)).toBe(1)
  expect(await keys(fresh)).toMatchObject([{ job_id: waits?.id }])
})

test('the key of a job is cleaned up that was locked when the job ended, and no other', async () => {
  const fresh = await freshQueue()
  const { pgq, pool, schema, sql } = fresh
  const queue = docs({ fields: ['doc'] })
  await pgq.enqueue(queue, { doc: 1 })
  const run = await running(fresh)
  const hand = await pool.connect()
  await hand.query('BEGIN')
  await hand.query(`SELECT FROM ${schema}.unique_keys FOR UPDATE`)
  await run.complete()
  await hand.query('ROLLBACK')
  const period = { unique: { fields: ['doc'], period: '1h' } } as const
  await pgq.enqueue(queue, { doc: 2 }, period)
  await (await running(fresh)).complete()
  await pgq.enqueueMany(queue, [{ doc: 3 }, { doc: 4 }])
  const all = [1, 2, 3, 4].map((doc) => `{"doc": ${doc}}`)
  expect((await keys(fresh)).map((row) => row.unique_key)).toEqual(all)
  const store = new KeyStore(tablesIn(schema))
  const database = new PgDatabase({ pool, schema, ours: false })
  // Nothing is waited for, and nothing is deleted that somebody has in hand.
  await hand.query('BEGIN')
  await hand.query(`SELECT FROM ${schema}.unique_keys FOR UPDATE`)
  expect((await store.deleteLeft(database, 10)).deleted).toBe(0)
  await hand.query('ROLLBACK')
  hand.release()
  const first = await store.deleteLeft(database, 3)
  expect(first).toEqual({ deleted: 1, last: { queue: 'docs', key: all[2] } })
  expect(await store.deleteLeft(database, 3, first.last)).toEqual({ deleted: 0, last: undefined })
  expect((await keys(fresh)).map((row) => row.unique_key)).toEqual(all.slice(1))
  await sql(`DELETE FROM ${schema}.jobs_waiting`)
  await sql(
    `INSERT INTO ${schema}.unique_keys (queue_name, unique_key, job_id) VALUES ('docs', 'left', gen_random_uuid())`,
  )
  await work(pgq, [handle(defineQueue('idle'), () => {})], { lease: '1s' })
  await until('the leader has deleted it', async () => (await keys(fresh)).length === 1)
})

test('replace changes what it names of a job that waits', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const scheduledFor = new Date('2031-01-01Z')
  const enqueue = (doc: number, onConflict: UniqueOptions['onConflict'], options = {}): Promise<unknown> =>
    pgq.enqueue(
      docs({ key: 'k' }),
      { doc },
      { ...options, unique: { key: 'k', onConflict } as UniqueOptions<Doc> },
    )
  await enqueue(1, 'replace', { scheduledFor, priority: 5, metadata: { n: 1 } })
  await enqueue(2, { replace: ['payload'] }, { metadata: { n: 2 } })
  const job = async (): Promise<unknown> => (await pgq.list({ queue: 'docs' })).jobs[0]
  expect(await job()).toMatchObject({ payload: { doc: 2 }, scheduledFor, priority: 5, metadata: { n: 2 } })
  await enqueue(3, { replace: ['priority'] }, { priority: -1 })
  expect(await job()).toMatchObject({ payload: { doc: 2 }, scheduledFor, priority: -1, metadata: { n: 2 } })
  const later = new Date('2032-01-01Z')
  await enqueue(4, { replace: ['scheduledFor'] }, { scheduledFor: later })
  expect(await job()).toMatchObject({ payload: { doc: 2 }, scheduledFor: later, priority: -1 })
  const [bySql] = await sql(
    `SELECT deduplicated, replaced FROM ${schema}.enqueue('docs', '{"doc": 5}', unique_key => 'k', replace => '{payload,scheduled_for}')`,
  )
  expect(bySql).toEqual({ deduplicated: true, replaced: true })
  expect(await running(fresh)).toMatchObject({ payload: { doc: 5 } })
})

test('what takes over a payload takes over its group and cost, and what does not leaves them', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = defineQueue('docs', { payload: type<Doc>(), group: ({ doc }) => `group ${doc}`, cost: 1 })
  const { id } = await pgq.enqueue(queue, { doc: 1 }, { unique: { key: 'k' }, cost: 3 })
  const stored = async () =>
    (await fresh.sql(`SELECT group_key, cost FROM ${fresh.schema}.jobs WHERE id = $1`, [id]))[0]
  await pgq.enqueue(
    queue,
    { doc: 2 },
    { unique: { key: 'k', onConflict: { replace: ['priority'] } }, cost: 5 },
  )
  expect(await stored()).toEqual({ group_key: 'group 1', cost: 3 })
  await pgq.enqueue(queue, { doc: 2 }, { unique: { key: 'k', onConflict: 'replace' }, cost: 5 })
  expect(await stored()).toEqual({ group_key: 'group 2', cost: 5 })
})

test('a payload that replaces one that failed has all its attempts, and the errors stay', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = docs({ key: 'k', onConflict: 'replace' })
  const { id } = await pgq.enqueue(queue, { doc: 1 })
  await (await running(fresh)).fail()
  expect(await pgq.get(id)).toMatchObject({ status: 'failed', attempts: 1 })
  // Whatever crashed was the old payload: the new one need not run alone.
  const crashes = `SELECT crashes FROM ${schema}.jobs_waiting`
  await sql(`UPDATE ${schema}.jobs_waiting SET crashes = 2`)
  expect(await pgq.enqueue(queue, { doc: 2 })).toEqual({ id, deduplicated: true, replaced: true })
  expect(await sql(crashes)).toEqual([{ crashes: 0 }])
  expect(await pgq.get(id)).toMatchObject({
    status: 'failed',
    attempts: 0,
    payload: { doc: 2 },
    errors: [{ attempt: 1 }],
  })
})

test('debounce puts a job off again and again, up to its longest wait, and never one that is due', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = docs({ fields: ['doc'], onConflict: { debounce: '10m', maxWait: '30m' } })
  const { id } = await pgq.enqueue(queue, { doc: 1, text: 'a' })
  const minutes = async (): Promise<number> => {
    const job = await pgq.get(id)
    return Math.round((Number(job?.scheduledFor) - Number(job?.createdAt)) / 60_000)
  }
  /** As if so much time had passed. */
  const pass = (time: string): Promise<unknown> =>
    sql(
      `UPDATE ${schema}.jobs SET created_at = created_at - $1::interval, scheduled_for = scheduled_for - $1::interval`,
      [time],
    )
  expect(await minutes()).toBe(10)
  await pass('11 min')
  await pgq.enqueue(queue, { doc: 1 })
  expect(await minutes()).toBe(10) // it is due, and stays so
  await pass('-11 min')
  await pgq.enqueue(
    queue,
    { doc: 1 },
    { unique: { fields: ['doc'], onConflict: { debounce: '1m', maxWait: '30m' } } },
  )
  expect(await minutes()).toBe(10) // no debounce pulls it forward
  await pass('6 min')
  expect(await pgq.enqueue(queue, { doc: 1, text: 'b' })).toEqual({ id, deduplicated: true, replaced: true })
  expect(await minutes()).toBe(16)
  expect((await pgq.get(id))?.payload).toEqual({ doc: 1, text: 'b' })
  await pass('9 min')
  await pgq.enqueue(queue, { doc: 1 })
  expect(await minutes()).toBe(25)
  await pass('9 min')
  await pgq.enqueue(queue, { doc: 1 })
  expect(await minutes()).toBe(30)
  await pass('8 min')
  await pgq.enqueue(queue, { doc: 1, text: 'last' })
  expect(await minutes()).toBe(30)
  expect(await running(fresh)).toMatchObject({ id, payload: { doc: 1, text: 'last' } })
})

test('an event says how many were deduplicated, and which job was replaced', async () => {
  const { pgq } = await freshQueue()
  const told: unknown[] = []
  pgq.events.on('job.enqueued', (event) => told.push(event))
  const queue = docs({ key: 'k', onConflict: 'replace' })
  const { id } = await pgq.enqueue(queue, { doc: 1 })
  await pgq.enqueue(queue, { doc: 2 })
  expect(told).toEqual([
    { queue: 'docs', ids: [id], deduplicated: 0, inTransaction: false },
    { queue: 'docs', ids: [], deduplicated: 1, replaced: [id], inTransaction: false },
  ])
})

test('a schedule makes the key, and the group, of its jobs as an enqueue does', async () => {
  const { pgq } = await freshQueue()
  const queue = defineQueue('docs', {
    payload: type<Doc>(),
    group: ({ doc }) => `group ${doc}`,
    unique: { key: ({ doc }) => `doc ${doc}`, onConflict: 'replace' },
  })
  await pgq.schedules.upsert(schedule(queue, { every: '1h' }, { doc: 1, text: 'by the clock' }))
  const { id } = await pgq.enqueue(queue, { doc: 1 })
  expect(await pgq.schedules.runNow('docs')).toEqual({ id, deduplicated: true })
  expect(await pgq.get(id)).toMatchObject({
    payload: { text: 'by the clock' },
    uniqueKey: 'doc 1',
    group: 'group 1',
  })
})
