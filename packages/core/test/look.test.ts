import { beforeAll, describe, expect, test } from 'vitest'
import { defineQueue, type JobFilter, JOB_STATUSES } from '../src/index.ts'
import type { Claim } from '../src/sql/held-claims.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { stillWorker } from './support/held-jobs.ts'

const mail = defineQueue('mail')
const sms = defineQueue('sms')
const refused = (code: string, about: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(about) })

describe('a filter', () => {
  let fresh: FreshQueue
  const ids: Record<string, string> = {}
  beforeAll(async () => {
    fresh = await freshQueue()
    const { pgq, sql, schema } = fresh
    const worker = await stillWorker(fresh)
    const add = async (name: string, payload: unknown, options = {}): Promise<void> => {
      ids[name] = (await pgq.enqueue(mail, payload, options)).id
    }
    await add('dead', { customer: { id: 7 }, tags: ['a', 'b'] })
    await add('failed', { customer: { id: 8 } })
    await add('done', 'text')
    const claimed = await worker.claim('mail')
    const [dead, failed, done] = [0, 1, 2].map((place) => worker.held(claimed[place])) as [
      Claim,
      Claim,
      Claim,
    ]
    const { store, database } = worker
    await store.settleEnded(database, [
      { ...dead, status: 'dead', error: { name: 'E', message: '100% No Öl' } },
    ])
    await store.settleWaiting(database, [
      { ...failed, status: 'failed', delayMs: 9e6, error: { name: 'E', message: 'rate_limit' } },
    ])
    await store.settleCompleted(database, [{ ...done, result: { json: '{"sent":true}' } }])
    await add('running', null)
    await worker.claim('mail')
    await add('waiting', [1, 2, 3], { uniqueKey: 'k', delay: '1h' })
    ids['other'] = (await pgq.enqueue(sms, 5)).id
    ids['cancelled'] = (await pgq.enqueue(sms, 6)).id
    await pgq.cancel(ids['cancelled'])
    await sql(`UPDATE ${schema}.jobs SET created_at = '2020-01-01Z' WHERE id = $1`, [ids['other']])
  })

  const cases: [string, JobFilter, string[]][] = [
    ['nothing', {}, ['dead', 'failed', 'done', 'running', 'waiting', 'other', 'cancelled']],
    ['a queue', { queue: sms }, ['other', 'cancelled']],
    ['the name of a queue', { queue: 'sms' }, ['other', 'cancelled']],
    ['a queue that is not there', { queue: '__proto__' }, []],
    ['a status', { status: 'processing' }, ['running']],
    ['several statuses', { status: ['completed', 'dead', 'dead'] }, ['dead', 'done']],
    ['no status at all', { status: [] }, []],
    ['a unique key', { uniqueKey: 'k' }, ['waiting']],
    ['a part of the payload', { payload: { customer: { id: 7 } } }, ['dead']],
    ['elements of an array', { payload: { tags: ['b'] } }, ['dead']],
    ['a payload that is text', { payload: 'text' }, ['done']],
    ['a payload that is null', { payload: null }, ['running']],
    ['a part of the error in any case', { error: 'RATE_L' }, ['failed']],
    ['a percent sign, which is no wildcard', { error: '0% n' }, ['dead']],
    ['an underscore, which is no wildcard', { error: 'rate_' }, ['failed']],
    ['older than', { createdBefore: new Date('2021-01-01') }, ['other']],
    ['newer than', { createdAfter: new Date('2021-01-01'), queue: sms }, ['cancelled']],
    ['the very moment', { createdAfter: new Date('2020-01-01'), createdBefore: new Date('2020-01-01') }, []],
    ['everything at once', { queue: mail, status: 'dead', payload: {}, error: 'NO ' }, ['dead']],
    [
      'options that are undefined',
      { queue: undefined, status: undefined } as never,
      ['dead', 'failed', 'done', 'running', 'waiting', 'other', 'cancelled'],
    ],
  ]
  test.each(cases)('by %s finds what it says', async (_what, filter, names) => {
    const { jobs, cursor } = await fresh.pgq.list(filter)
    expect(jobs.map((job) => job.id)).toEqual(names.map((name) => ids[name]).toReversed())
    expect(cursor).toBeUndefined()
  })

  test('counts go by queue and status', async () => {
    const { pgq } = fresh
    expect(await pgq.counts()).toEqual([
      { queue: 'mail', status: 'completed', jobs: 1 },
      { queue: 'mail', status: 'dead', jobs: 1 },
      { queue: 'mail', status: 'failed', jobs: 1 },
      { queue: 'mail', status: 'pending', jobs: 1 },
      { queue: 'mail', status: 'processing', jobs: 1 },
      { queue: 'sms', status: 'cancelled', jobs: 1 },
      { queue: 'sms', status: 'pending', jobs: 1 },
    ])
    expect(await pgq.counts({ queue: sms, status: ['pending', 'dead'] })).toEqual([
      { queue: 'sms', status: 'pending', jobs: 1 },
    ])
    expect(await pgq.counts({ status: [] })).toEqual([])
  })

  test('get shows the whole of an ended job', async () => {
    const { pgq } = fresh
    expect(await pgq.get(ids['done'] ?? '')).toMatchObject({
      status: 'completed',
      result: { sent: true },
      attempts: 1,
      error: null,
      errors: [],
    })
    expect(await pgq.get(ids['dead'] ?? '')).toMatchObject({
      status: 'dead',
      error: '100% No Öl',
      errors: [{ attempt: 1, at: expect.any(String), name: 'E', message: '100% No Öl' }],
      result: null,
      completedAt: expect.any(Date),
    })
  })

  test('an id may be written in capitals', async () => {
    expect((await fresh.pgq.get((ids['done'] ?? '').toUpperCase()))?.id).toBe(ids['done'])
  })

  test('an id of nothing finds nothing', async () => {
    expect(await fresh.pgq.get('01890000-0000-7000-8000-000000000000')).toBeNull()
  })

  test.each([
    undefined,
    null,
    '',
    'x',
    7,
    {},
    ["'"],
    `01890000-0000-7000-8000-000000000000' OR true`,
    '01890000000070008000000000000000',
  ])('what is no id is refused: %o', async (id) => {
    await expect(fresh.pgq.get(id as never)).rejects.toThrow(refused('INVALID_ID', 'id'))
  })

  test.each<[string, string, object]>([
    ['INVALID_OPTION', 'stauts', { stauts: 'dead' }],
    ['INVALID_OPTION', 'status', { status: 'done' }],
    ['INVALID_OPTION', 'status', { status: ['dead', null] }],
    ['INVALID_OPTION', 'status', { status: 5 }],
    ['INVALID_OPTION', 'status', { status: null }],
    ['INVALID_QUEUE', 'queue', { queue: '' }],
    ['INVALID_QUEUE', 'queue', { queue: null }],
    ['INVALID_QUEUE', 'queue', { queue: {} }],
    ['INVALID_OPTION', 'uniqueKey', { uniqueKey: 5 }],
    ['INVALID_OPTION', 'error', { error: '' }],
    ['INVALID_OPTION', 'error', { error: 'a\0b' }],
    ['INVALID_OPTION', 'payload', { payload: { n: 1n } }],
    ['INVALID_OPTION', 'createdAfter', { createdAfter: '2020-01-01' }],
    ['INVALID_OPTION', 'createdBefore', { createdBefore: new Date(Number.NaN) }],
    ['INVALID_OPTION', 'createdBefore', { createdBefore: new Date(8.64e15) }],
    ['INVALID_OPTION', 'limit', { limit: 0 }],
    ['INVALID_OPTION', 'limit', { limit: 1_001 }],
    ['INVALID_ID', 'cursor', { cursor: 'next' }],
    ['INVALID_OPTION', 'list', null as never],
  ])('%s: a bad %s is refused and named: %o', async (code, about, options) => {
    await expect(fresh.pgq.list(options)).rejects.toThrow(refused(code, about))
  })

  test('a payload condition with nothing left in it is not taken for every job', async () => {
    // { customer: { id: undefined } } is JSON's {}, which every object contains: fatal in a delete.
    await expect(fresh.pgq.list({ payload: { customer: undefined } })).rejects.toThrow(
      refused('INVALID_OPTION', 'payload'),
    )
  })
})

test('pages have neither gaps nor repeats, while jobs come and go', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const first = (
    await pgq.enqueueMany(
      mail,
      Array.from({ length: 250 }, (_, n) => n),
    )
  ).map(({ id }) => id)
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await pgq.list({ limit: 40, ...(cursor !== undefined && { cursor }) })
    seen.push(...page.jobs.map((job) => job.id))
    cursor = page.cursor
    await pgq.enqueueMany(mail, [1, 2, 3])
    await sql(`UPDATE ${schema}.jobs SET status = 'completed' WHERE id = $1`, [seen[0]])
    await pgq.delete(seen.slice(-3, -2))
  } while (cursor !== undefined)
  expect(seen).toEqual(first.toReversed())
})

test('a page that is exactly full has no cursor behind it when nothing follows', async () => {
  const { pgq } = await freshQueue()
  await pgq.enqueueMany(mail, [1, 2])
  const page = await pgq.list({ limit: 2 })
  expect(page.jobs).toHaveLength(2)
  expect(page.cursor).toBeUndefined()
  expect((await pgq.list({ limit: 1 })).cursor).toBe(page.jobs[0]?.id)
})

test('there are six statuses', () => {
  expect(JOB_STATUSES).toHaveLength(6)
})
