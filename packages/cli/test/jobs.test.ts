import { defineQueue } from '@pgq/core'
import { expect, test } from 'vitest'
import { cliQueue } from './support/cli-queue.ts'

const mails = defineQueue('mails')
const reports = defineQueue('reports')

test('list pages through what matches', async () => {
  const { pgq, json, run } = await cliQueue()
  await pgq.enqueueMany(mails, [{ to: 'ada' }, { to: 'bob' }, { to: 'ada' }])
  await pgq.enqueue(reports, { to: 'ada' }, { delay: '1h', uniqueKey: 'k' })
  const filter = [
    'jobs',
    'list',
    '--payload',
    '{"to":"ada"}',
    '--queue',
    'mails',
    '--created-after',
    '1h',
    '--status',
    'pending,failed',
  ]
  const first = await json(...filter, '--limit', '1')
  expect(first).toMatchObject({
    code: 0,
    stderr: '',
    answer: { jobs: [{ queue: 'mails', status: 'pending', payload: { to: 'ada' } }] },
  })
  const second = await json(...filter, '--cursor', first.answer.cursor)
  expect(second.answer).toMatchObject({ jobs: [{ payload: { to: 'ada' } }], cursor: null })
  expect(second.answer.jobs[0].id).not.toBe(first.answer.jobs[0].id)
  expect((await json('jobs', 'list', '--unique-key', 'k')).answer.jobs).toHaveLength(1)
  expect(await run('jobs', 'list', '--created-before', '2020-01-01')).toMatchObject({
    code: 0,
    stdout: 'No jobs match.\n',
  })
  // As a pipe gets it: whole lines, no colours.
  const plain = await run('jobs', 'list', '--limit', '2')
  expect(plain.stdout).toMatch(/^ID .*\n.* reports .*in \d+m .*\n.* mails .*\n$/)
  expect(plain.stdout).not.toContain('\u001b')
})

test('show and explain tell all about one, and 3 when there is none', async () => {
  const { pgq, run, json } = await cliQueue()
  const { id } = await pgq.enqueue(mails, { to: 'ada' }, { metadata: { tenant: 'acme' } })
  const { code, stdout } = await run('jobs', 'show', id)
  expect(code).toBe(0)
  for (const text of [id, 'pending', '"to": "ada"', '"tenant": "acme"', '0 of 3'])
    expect(stdout).toContain(text)
  expect((await json('jobs', 'show', id)).answer).toEqual(JSON.parse(JSON.stringify(await pgq.get(id))))
  expect((await json('jobs', 'explain', id)).answer).toMatchObject({
    id,
    state: 'waiting',
    reasons: [{ code: 'no_worker' }],
  })
  for (const command of ['show', 'explain'])
    expect(await run('jobs', command, '00000000-0000-7000-8000-000000000000')).toMatchObject({ code: 3 })
})

test('nothing is changed that nobody has confirmed, and --dry-run only counts', async () => {
  const { pgq, run, json } = await cliQueue()
  await pgq.enqueueMany(mails, [1, 2, 3])
  const refused = await run('jobs', 'delete', '--queue', 'mails')
  expect(refused).toMatchObject({
    code: 4,
    stdout: '',
    stderr: expect.stringMatching(/would delete 3 jobs[^]*give --yes/),
  })
  const counts = [{ queue: 'mails', status: 'pending', jobs: 3 }]
  expect(await json('jobs', 'delete', '--queue', 'mails', '--dry-run')).toMatchObject({
    code: 0,
    answer: { action: 'delete', matching: 3, counts, changed: 0 },
  })
  expect(await pgq.counts()).toEqual(counts)
  expect(await json('jobs', 'delete', '--queue', 'mails', '--yes')).toMatchObject({
    code: 0,
    answer: { matching: 3, changed: 3 },
  })
  expect(await pgq.counts()).toEqual([])
  expect(await json('jobs', 'delete', '--queue', 'mails')).toMatchObject({
    code: 0,
    answer: { matching: 0 },
  })
})

test('jobs named by id are retried without a question, and cancelled only with one', async () => {
  const { pgq, run, json } = await cliQueue()
  const { id } = await pgq.enqueue(mails, {}, { delay: '1h' })
  expect(await json('jobs', 'retry', id)).toMatchObject({ code: 0, answer: { matching: 1, changed: 1 } })
  expect((await pgq.get(id))?.scheduledFor.getTime()).toBeLessThan(Date.now() + 60_000)
  expect(await run('jobs', 'cancel', id)).toMatchObject({ code: 4 })
  expect(await run('jobs', 'cancel', id, '--yes', '--reason', 'no longer wanted')).toMatchObject({
    code: 0,
    stdout: '1 job was cancelled\n',
  })
  expect(await pgq.get(id)).toMatchObject({ status: 'cancelled', error: 'no longer wanted' })
  expect(await json('jobs', 'cancel', id, '--yes')).toMatchObject({
    code: 3,
    answer: { matching: 0, changed: 0 },
  })
})

test('filters leave alone what an action does nothing to', async () => {
  const { pgq, sql, schema, json } = await cliQueue()
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at)
     SELECT 'q', status, now() FROM unnest('{pending,processing,failed,dead,cancelled,completed}'::text[]) AS status`,
  )
  const matching = async (...args: string[]): Promise<string[]> =>
    (await json('jobs', ...args, '--dry-run')).answer.counts.map(({ status }: { status: string }) => status)
  expect(await matching('retry', '--queue', 'q')).toEqual(['cancelled', 'dead', 'failed', 'pending'])
  expect(await matching('cancel', '--queue', 'q')).toEqual(['failed', 'pending', 'processing'])
  expect(await matching('delete', '--queue', 'q')).toEqual([
    'cancelled',
    'completed',
    'dead',
    'failed',
    'pending',
  ])
  expect(await matching('redrive', '--all')).toEqual(['dead'])
  for (const [args, changed] of [
    [['redrive', '--all'], 1],
    [['retry', '--queue', 'q'], 4],
    [['cancel', '--queue', 'q'], 5],
    [['delete', '--queue', 'q'], 6],
  ] as const)
    expect((await json('jobs', ...args, '--yes')).answer, args.join(' ')).toMatchObject({
      matching: changed,
      changed,
    })
  expect(await pgq.counts()).toEqual([])
})
