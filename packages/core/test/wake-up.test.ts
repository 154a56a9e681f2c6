import pg from 'pg'
import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { listenTo } from '../src/sql/listen.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { cleanUpAfterwards } from '@pgq/test-support'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { stillWorker } from './support/held-jobs.ts'

const mail = defineQueue('mail')

/** Hears what is sent on the channel of a queue. What came before `heard` is called has arrived by its answer. */
async function listen({ schema, databaseUrl, sql }: FreshQueue): Promise<() => Promise<string[]>> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  cleanUpAfterwards(() => client.end())
  const heard: string[] = []
  client.on('notification', ({ payload }) => void heard.push(payload ?? ''))
  const { channel } = tablesIn(schema)
  await client.query(listenTo(channel))
  return async () => {
    // Notifications come in the order of their commits: this one is the last.
    const end = `end ${Math.random()}`
    await sql('SELECT pg_notify($1, $2)', [channel, end])
    await expect.poll(() => heard.includes(end), { interval: 5 }).toBe(true)
    return heard.splice(0).filter((payload) => !payload.startsWith('end '))
  }
}

test('a listening worker is told of whatever becomes due, once for each statement and queue', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await stillWorker(fresh, { queues: ['mail', 'sms'], listening: true })
  const heard = await listen(fresh)
  const ways: [string, () => Promise<unknown>, string[]][] = [
    ['enqueue', () => pgq.enqueue(mail, 1), ['queue:mail']],
    ['enqueue with a key', () => pgq.enqueue(mail, 1, { uniqueKey: 'k' }), ['queue:mail']],
    [
      'enqueueMany',
      () =>
        pgq.enqueueMany(
          mail,
          Array.from({ length: 3_000 }, (_, n) => n),
        ),
      ['queue:mail'],
    ],
    ['the function', () => sql(`SELECT ${schema}.enqueue('sms')`), ['queue:sms']],
    [
      'INSERT',
      () => sql(`INSERT INTO ${schema}.jobs (queue_name) VALUES ('mail'), ('mail'), ('sms')`),
      ['queue:mail', 'queue:sms'],
    ],
    ['UPDATE', () => sql(`UPDATE ${schema}.jobs SET status = 'cancelled'`), []],
    ['UPDATE back', () => sql(`UPDATE ${schema}.jobs SET status = 'pending'`), ['queue:mail', 'queue:sms']],
    [
      'UPDATE of the time',
      () => sql(`UPDATE ${schema}.jobs SET scheduled_for = now() WHERE queue_name = 'sms'`),
      ['queue:sms'],
    ],
    ['cancel', () => pgq.cancel({ status: 'pending' }), []],
    ['retry of ended jobs', () => pgq.retry({ queue: 'sms' }), ['queue:sms']],
    ['retry of waiting jobs', () => pgq.retry({ queue: 'sms', status: 'pending' }), ['queue:sms']],
    ['DELETE', () => sql(`DELETE FROM ${schema}.jobs`), []],
  ]
  for (const [way, act, told] of ways) {
    await act()
    expect((await heard()).toSorted(), way).toEqual(told)
  }
})

test('nobody is told of what is not due, or not there after all', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema, pool } = fresh
  await stillWorker(fresh, { queues: ['mail'], listening: true })
  await pgq.enqueue(mail, 1, { uniqueKey: 'k' })
  const heard = await listen(fresh)
  await pgq.enqueue(mail, 1, { delay: '1h' })
  await pgq.enqueue(mail, 1, { delay: '1h', uniqueKey: 'later' })
  await pgq.enqueue(mail, 1, { uniqueKey: 'k' })
  await sql(`INSERT INTO ${schema}.jobs (queue_name, scheduled_for) VALUES ('mail', now() + interval '1 h')`)
  await sql(`UPDATE ${schema}.jobs SET scheduled_for = now() + interval '2 h'`)
  const client = await pool.connect()
  await client.query(`BEGIN; INSERT INTO ${schema}.jobs (queue_name) VALUES ('mail'); ROLLBACK`)
  client.release()
  expect(await heard()).toEqual([])
})

test('nothing is sent when no worker of the queue listens', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await stillWorker(fresh, { queues: ['mail'], listening: false })
  await stillWorker(fresh, { queues: ['sms'], listening: true })
  const lost = await stillWorker(fresh, { queues: ['mail'], listening: true })
  await sql(`UPDATE ${schema}.workers SET lost_at = now() WHERE id = $1`, [lost.id])
  const heard = await listen(fresh)
  await pgq.enqueue(mail, 1)
  await sql(`INSERT INTO ${schema}.jobs (queue_name) VALUES ('mail')`)
  await pgq.cancel({ queue: mail })
  await pgq.retry({ queue: mail })
  expect(await heard()).toEqual([])
})

test('who runs a job is told that it was cancelled, whoever cancels it', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const worker = await stillWorker(fresh, { queues: ['mail'], listening: true })
  const [byCall, byHand] = await pgq.enqueueMany(mail, [1, 2])
  await worker.claim('mail')
  const heard = await listen(fresh)
  await pgq.cancel(byCall?.id ?? '')
  expect(await heard()).toEqual([`cancel:${byCall?.id}`])
  await sql(`UPDATE ${schema}.jobs SET status = 'cancelled' WHERE id = $1`, [byHand?.id])
  expect(await heard()).toEqual([`cancel:${byHand?.id}`])
})

test('the name of a queue may be as long as a queue name can be', async () => {
  const fresh = await freshQueue()
  const long = defineQueue('語'.repeat(200))
  await stillWorker(fresh, { queues: [long.name], listening: true })
  const heard = await listen(fresh)
  await fresh.pgq.enqueue(long, 1)
  expect(await heard()).toEqual([`queue:${long.name}`])
})
