import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { work } from '@pgq/test-support'

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('the function takes its arguments by place', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const [row] = await sql(`SELECT * FROM ${schema}.enqueue('mail', '{"to": "a"}')`)
  expect(row).toEqual({ id: expect.stringMatching(V7), deduplicated: false, replaced: false })
  expect(await pgq.get(row.id)).toMatchObject({
    queue: 'mail',
    payload: { to: 'a' },
    status: 'pending',
    priority: 0,
    maxAttempts: 3,
    metadata: {},
    uniqueKey: null,
  })
})

test('and by name, every one of them', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const [row] = await sql(
    `SELECT * FROM ${schema}.enqueue(queue_name => 'mail', payload => '[1]', delay => interval '2 days', priority => -7,
       max_attempts => 5, unique_key => 'k', metadata => '{"from": "sql"}')`,
  )
  const job = await pgq.get(row.id)
  expect(job).toMatchObject({
    payload: [1],
    priority: -7,
    maxAttempts: 5,
    uniqueKey: 'k',
    metadata: { from: 'sql' },
  })
  const delayMs = Number(job?.scheduledFor) - Number(job?.createdAt)
  expect(Math.abs(delayMs - 2 * 86_400_000)).toBeLessThan(1_000)
})

test('a moment can be given instead of a delay, and not with it', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const [row] = await sql(
    `SELECT * FROM ${schema}.enqueue('mail', scheduled_for => '2031-01-01 00:00:00+02')`,
  )
  expect((await pgq.get(row.id))?.scheduledFor).toEqual(new Date('2030-12-31T22:00:00Z'))
  expect((await pgq.get(row.id))?.payload).toEqual({})
  await expect(
    sql(`SELECT ${schema}.enqueue('mail', scheduled_for => now(), delay => '1 h')`),
  ).rejects.toMatchObject({ code: '22023', message: expect.stringContaining('choose one') })
})

test('NULL means the default', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const [row] = await sql(`SELECT * FROM ${schema}.enqueue('mail', NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
  expect(await pgq.get(row.id)).toMatchObject({ payload: null, priority: 0, maxAttempts: 3, metadata: {} })
})

test('a key deduplicates, across SQL and the API', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const enqueue = `SELECT * FROM ${schema}.enqueue('mail', unique_key => 'k')`
  const [first] = await sql(enqueue)
  expect(await sql(enqueue)).toEqual([{ id: first.id, deduplicated: true, replaced: false }])
  expect(await pgq.enqueue(defineQueue('mail'), 1, { uniqueKey: 'k' })).toEqual({
    id: first.id,
    deduplicated: true,
  })
  expect(await pgq.counts()).toEqual([{ queue: 'mail', status: 'pending', jobs: 1 }])
})

test.each([
  ['no queue', `NULL`, '22023'],
  ['an empty queue name', `''`, '22023'],
  ['a priority out of range', `'mail', priority => 40000`, '22003'],
  ['no attempts', `'mail', max_attempts => 0`, '23514'],
])('%s is an error', async (_what, args, code) => {
  const { pgq, sql, schema } = await freshQueue()
  await expect(sql(`SELECT ${schema}.enqueue(${args})`)).rejects.toMatchObject({ code })
  expect(await pgq.counts()).toEqual([])
})

test('it belongs to the transaction of its caller', async () => {
  const { pgq, pool, schema } = await freshQueue()
  const client = await pool.connect()
  await client.query(`BEGIN; SELECT ${schema}.enqueue('mail'); ROLLBACK`)
  client.release()
  expect(await pgq.counts()).toEqual([])
})

test('many go in as one JSON array, with ids of their own or given', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const given = '01890000-0000-7000-8000-000000000000'
  const jobs = [
    { queue: 'mail', payload: 1 },
    { queue: 'mail', payload: 2, id: given },
    { queue: 'mail', payload: 3, unique_key: 'k' },
    { queue: 'mail', payload: 4, unique_key: 'k' },
    { queue: 'other' },
  ]
  const deduplicated = await sql(`SELECT * FROM ${schema}.enqueue_many($1::text::jsonb)`, [
    JSON.stringify(jobs),
  ])
  expect(deduplicated).toEqual([
    { id: expect.stringMatching(V7), standing_id: expect.stringMatching(V7), outcome: 'skipped' },
  ])
  expect((await pgq.get(given))?.payload).toBe(2)
  expect((await pgq.get(deduplicated[0].standing_id))?.payload).toBe(3)
  expect((await pgq.list({ queue: 'other' })).jobs).toMatchObject([{ payload: null }])
  expect(await pgq.counts()).toEqual([
    { queue: 'mail', status: 'pending', jobs: 3 },
    { queue: 'other', status: 'pending', jobs: 1 },
  ])
})

test('a plain INSERT is an enqueue, with an id in the order of time', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const before = Date.now()
  const rows = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, payload)
     SELECT 'mail', to_jsonb(n) FROM generate_series(1, 500) AS n RETURNING id, payload`,
  )
  expect(rows).toHaveLength(500)
  expect(new Set(rows.map(({ id }) => id)).size).toBe(500)
  for (const { id } of rows) {
    expect(id).toMatch(V7)
    const made = Number.parseInt(id.replace('-', '').slice(0, 12), 16)
    expect(Math.abs(made - before)).toBeLessThan(60_000)
  }
  const [only] = await sql(`INSERT INTO ${schema}.jobs (queue_name) VALUES ('mail') RETURNING *`)
  expect(only).toMatchObject({ payload: {}, status: 'pending', attempts: 0, max_attempts: 3, fence: 0 })
  expect(await pgq.get(only.id)).toMatchObject({ payload: {} })
})

test('a trigger of a business table enqueues, and a worker runs the job', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`
    CREATE TABLE ${schema}.orders (id serial, email text);
    CREATE FUNCTION ${schema}.on_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM ${schema}.enqueue('order.receipt', jsonb_build_object('orderId', NEW.id), unique_key => NEW.id::text);
      RETURN NEW;
    END $$;
    CREATE TRIGGER on_order AFTER INSERT ON ${schema}.orders FOR EACH ROW EXECUTE FUNCTION ${schema}.on_order()`)
  const receipts = defineQueue<{ orderId: number }>('order.receipt')
  const seen = new Set<number>()
  await work(pgq, [handle(receipts, (job) => void seen.add(job.payload.orderId))])
  await sql(`INSERT INTO ${schema}.orders (email) VALUES ('a'), ('b')`)
  await expect.poll(() => seen, { timeout: 10_000 }).toEqual(new Set([1, 2]))
})

test('it works for a role that owns nothing, whatever its search path holds', async () => {
  const { pgq, pool, schema } = await freshQueue()
  const client = await pool.connect()
  try {
    // Whoever may create objects must not be able to slip functions and operators of their own under ours.
    await client.query(`
      BEGIN;
      CREATE SCHEMA ${schema}_trap;
      CREATE FUNCTION ${schema}_trap.now() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
      CREATE FUNCTION ${schema}_trap.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
      CREATE FUNCTION ${schema}_trap.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
      SET LOCAL search_path = ${schema}_trap, pg_catalog;
      SELECT ${schema}.enqueue('mail');
      INSERT INTO ${schema}.jobs (queue_name) VALUES ('mail');
      UPDATE ${schema}.jobs SET status = 'dead';
      SET LOCAL search_path = '';
      SELECT ${schema}.enqueue('mail');
      UPDATE ${schema}.jobs SET status = 'pending';
      DROP SCHEMA ${schema}_trap CASCADE;
      COMMIT`)
  } finally {
    client.release(true)
  }
  expect(await pgq.counts()).toEqual([{ queue: 'mail', status: 'pending', jobs: 3 }])
})
