import { defineQueue, type JobRecord } from '@pgq/core'
import { expect, test } from 'vitest'
import type { AuditEvent } from '../src/index.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { type Visitor, visit } from './support/visitor.ts'

const found = async ({ read }: Visitor, query: Record<string, string>): Promise<string[]> =>
  (await read(`api/jobs?${new URLSearchParams(query).toString()}`)).jobs.map(
    (job: { payload: string }) => job.payload,
  )

/** Three jobs that wait and one that is dead. */
async function some(): Promise<FreshQueue> {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await pgq.enqueueMany(defineQueue('mails'), [
    { to: 'ada', from: { id: 7 } },
    { to: 'bob', tags: ['a', 'b'] },
    { to: '7' },
  ])
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, payload, completed_at, error, created_at)
     VALUES ('sms', 'dead', '{"to": "eve"}', now(), 'connect ETIMEDOUT 10.0.0.1', now() - interval '2 d')`,
  )
  return fresh
}

/** For tests that look and change nothing. */
const looked = await some()

test.each<[string, Record<string, string>, string[]]>([
  [
    'nothing',
    {},
    ['{"to":"7"}', '{"to":"bob","tags":["a","b"]}', '{"to":"ada","from":{"id":7}}', '{"to":"eve"}'],
  ],
  ['a queue', { queue: 'sms' }, ['{"to":"eve"}']],
  ['statuses', { status: 'dead,completed' }, ['{"to":"eve"}']],
  ['a name and a value', { payload: 'to:ada' }, ['{"to":"ada","from":{"id":7}}']],
  ['a number under a name', { payload: 'from.id=7' }, ['{"to":"ada","from":{"id":7}}']],
  ['text that looks like a number', { payload: 'to:"7"' }, ['{"to":"7"}']],
  ['a list that contains something', { payload: 'tags:["b"]' }, ['{"to":"bob","tags":["a","b"]}']],
  ['JSON', { payload: '{"from": {"id": 7}}' }, ['{"to":"ada","from":{"id":7}}']],
  ['a part of its text', { payload: 'BO' }, ['{"to":"bob","tags":["a","b"]}']],
  ['an address, which has a colon', { payload: 'http://x' }, []],
  ['a part of the error, in any case', { error: 'etimedout' }, ['{"to":"eve"}']],
  ['what was made before', { before: new Date(Date.now() - 86_400_000).toISOString() }, ['{"to":"eve"}']],
  [
    'all of them at once',
    { queue: 'mails', status: 'pending', payload: 'to:bob', after: '2020-01-01T00:00Z' },
    ['{"to":"bob","tags":["a","b"]}'],
  ],
])('jobs are found by %s', async (_, query, payloads) => {
  const visitor = visit(looked.pgq)
  expect((await found(visitor, query)).toSorted()).toEqual(payloads.toSorted())
  expect(await visitor.read(`api/jobs/count?${new URLSearchParams(query).toString()}`)).toEqual({
    jobs: payloads.length,
    isMore: false,
  })
})

test('a list comes in pages, and each job with little of its payload', async () => {
  const { pgq } = await freshQueue()
  await pgq.enqueueMany(
    defineQueue('mails'),
    Array.from({ length: 70 }, (_, n) => ({ n, text: 'x'.repeat(1_000) })),
  )
  const { read } = visit(pgq)
  const first = await read('api/jobs')
  const second = await read(`api/jobs?cursor=${first.cursor}`)
  expect([first.jobs.length, second.jobs.length, second.cursor]).toEqual([50, 20, null])
  expect(new Set([...first.jobs, ...second.jobs].map(({ id }) => id)).size).toBe(70)
  expect(first.jobs[0].payload).toHaveLength(201)
})

test('an action on all that match changes those and no other, and says how many', async () => {
  const { pgq } = await some()
  const told: AuditEvent[] = []
  const { post } = visit(pgq, { audit: (event) => told.push(event) })
  const response = await post('api/jobs', {
    action: 'cancel',
    filter: { queue: 'mails', payload: 'to:ada', status: ['pending'] },
  })
  expect(await response.json()).toEqual({ jobs: 1 })
  expect((await pgq.list({ status: 'cancelled' })).jobs.map(({ payload }) => payload)).toEqual([
    { to: 'ada', from: { id: 7 } },
  ])
  expect(told).toEqual([
    {
      action: 'jobs.cancel',
      actor: undefined,
      outcome: 'done',
      jobs: 1,
      filter: { queue: 'mails', status: ['pending'], payload: { to: 'ada' } },
    },
  ])
})

test('the audit is told of what failed, and an audit that fails undoes nothing', async () => {
  const { pgq } = await some()
  const told: AuditEvent[] = []
  const errors: string[] = []
  pgq.events.on('error', ({ where }) => errors.push(where))
  const { post } = visit(pgq, {
    audit: (event) => {
      told.push(event)
      throw new Error('the disk is full')
    },
  })
  expect((await post('api/jobs', { action: 'delete', ids: ['x'] })).status).toBe(400)
  expect((await post('api/jobs', { action: 'delete', filter: { queue: 'sms' } })).status).toBe(200)
  expect(told).toMatchObject([
    { outcome: 'failed', error: { code: 'INVALID_ID' } },
    { outcome: 'done', jobs: 1 },
  ])
  expect(errors).toEqual(['the audit of the dashboard', 'the audit of the dashboard'])
})

test('a job is shown with all that is known of it', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const [{ id }] = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, payload, attempts, completed_at, error, errors, result, progress, metadata, unique_key)
     VALUES ('mails', 'dead', '{"n": 1}', 3, now(), 'no', $1, '[2]', '0.5', '{"trace": "t"}', 'k') RETURNING id`,
    [
      JSON.stringify([
        {
          attempt: 3,
          at: '2026-01-02T03:04:05Z',
          name: 'TypeError',
          message: 'no',
          stack: 'TypeError: no\n at x',
        },
        'nonsense',
        null,
      ]),
    ],
  )
  const { job, reasons } = await visit(pgq).read(`api/jobs/${id}`)
  expect(reasons).toEqual([])
  expect(job).toMatchObject({
    id,
    status: 'dead',
    payloadJson: '{\n  "n": 1\n}',
    resultJson: '[\n  2\n]',
    progressJson: '0.5',
    metadataJson: '{\n  "trace": "t"\n}',
    uniqueKey: 'k',
    error: 'no',
  })
  expect(job.errors).toHaveLength(3)
  expect(job.errors[0]).toEqual({
    attempt: 3,
    at: Date.UTC(2026, 0, 2, 3, 4, 5),
    name: 'TypeError',
    message: 'no',
    stack: 'TypeError: no\n at x',
  })
})

test('why a job does not run is said with it', async () => {
  const { pgq } = await freshQueue()
  const { id } = await pgq.enqueue(defineQueue('mails'), 1, { delay: '1h' })
  await pgq.pause('mails', { reason: 'the provider is down' })
  const { reasons } = await visit(pgq).read(`api/jobs/${id}`)
  expect(reasons).toMatchObject([
    { code: 'not_due', until: expect.any(Number) },
    { code: 'queue_paused', message: expect.stringContaining('the provider is down') },
    { code: 'no_worker' },
  ])
})

/** Hides who it was about, and what went wrong. */
const redact = (job: JobRecord): JobRecord => ({
  ...job,
  payload: { to: '…' },
  error: job.error && '[hidden]',
  errors: [],
  result: null,
})

test('what redact hides is in no answer, and whoever may only look cannot search for it', async () => {
  const { pgq, sql, schema } = await some()
  await sql(`UPDATE ${schema}.jobs SET result = '"secret of eve"' WHERE status = 'dead'`)
  const visitor = visit(pgq, { redact, authorize: () => 'read' })
  const [{ id }] = await sql(`SELECT id FROM ${schema}.jobs WHERE status = 'dead'`)
  for (const path of ['api/jobs', `api/jobs/${id}`, 'api/dead', 'api/queues', '', `jobs/${id}`]) {
    const response = await visitor.get(path)
    expect(response.status).toBe(200)
    expect(await response.text(), path).not.toMatch(/\b(?:ada|bob|eve)\b|ETIMEDOUT/)
  }
  for (const path of ['api/jobs?payload=ada', 'api/jobs?error=E', 'api/jobs/count?payload=ada'])
    expect((await visitor.get(path)).status, path).toBe(403)
  expect(await (await visitor.get('')).text()).toContain('<meta name="pgq-search" content="false">')
  expect((await visitor.get('api/jobs?queue=mails')).status).toBe(200)
  const [group] = await visitor.read('api/dead')
  expect(group).toMatchObject({ sample: '[hidden]', pattern: '', needle: null })
})

test('whoever may act may search, and everybody may where the options say so', async () => {
  const { pgq } = await some()
  expect((await visit(pgq, { redact }).get('api/jobs?payload=ada')).status).toBe(200)
  const open = visit(pgq, { redact, search: 'read', authorize: () => 'read' })
  expect((await open.get('api/jobs?payload=ada')).status).toBe(200)
  const closed = visit(pgq, { search: 'write', authorize: () => 'read' })
  expect((await closed.get('api/jobs?payload=ada')).status).toBe(403)
})

test('where redact throws nothing is shown', async () => {
  const { pgq } = await some()
  const errors: string[] = []
  pgq.events.on('error', ({ where }) => errors.push(where))
  const { get } = visit(pgq, {
    redact: () => {
      throw new Error('no')
    },
  })
  expect((await get('api/jobs')).status).toBe(500)
  expect((await get('api/dead')).status).toBe(500)
  expect(errors).toHaveLength(2)
})

test('dead jobs come by what they died of, with what a search finds them by', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`
    INSERT INTO ${schema}.jobs (queue_name, status, completed_at, error)
    SELECT 'mails', 'dead', now(), 'no answer from 10.0.0.' || n FROM generate_series(1, 3) AS n
    UNION ALL SELECT 'mails', 'dead', now(), '42'`)
  const visitor = visit(pgq)
  const [timeouts, numbers] = await visitor.read('api/dead')
  expect(timeouts).toMatchObject({ queue: 'mails', jobs: 3, needle: 'no answer from' })
  expect(numbers).toMatchObject({ jobs: 1, needle: null })
  const { jobs } = await visitor.read(
    `api/jobs?${new URLSearchParams({ error: timeouts.needle, status: 'dead' }).toString()}`,
  )
  expect(jobs).toHaveLength(3)
})
