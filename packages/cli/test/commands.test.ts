import { defineQueue, handle, schedule } from '@pgq/core'
import { describe, expect, test, vi } from 'vitest'
import { bareEnvironment, queueForTest, runPgq } from './support/pgq.ts'

// Each of them starts some processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 })

const mails = defineQueue('mails')
const reports = defineQueue('reports')

describe('migrate', () => {
  test('--check says no until migrate has been run', async () => {
    const { run, json, schema } = await queueForTest({ migrated: false })
    expect(await json('migrate', '--check')).toMatchObject({
      code: 3,
      answer: { schema, isCurrent: false, code: 'SCHEMA_MISSING' },
    })
    const first = await json('migrate')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.answer.applied.length).toBe(first.answer.version)
    expect(await run('migrate')).toMatchObject({
      code: 0,
      stdout: `the schema "${schema}" is at version ${first.answer.version} already\n`,
    })
    expect(await run('migrate', '--check')).toMatchObject({
      code: 0,
      stdout: `the schema "${schema}" is up to date\n`,
    })
  })

  test('--print needs no database, and prints what makes the schema', async () => {
    const { sql, schema, json } = await queueForTest({ migrated: false })
    const printed = await runPgq(['migrate', '--print', '--schema', schema], bareEnvironment())
    expect(printed).toMatchObject({ code: 0, stderr: '' })
    await sql(printed.stdout)
    expect(await json('migrate', '--check')).toMatchObject({ code: 0, answer: { isCurrent: true } })
  })
})

describe('the command line', () => {
  test('what is wrong with it exits with 2 and says what', async () => {
    const { run } = await queueForTest()
    const wrong: [RegExp, ...string[]][] = [
      [/Usage: pgq/],
      [/unknown command 'statsu'.*\n?.*Did you mean status/, 'statsu'],
      [/unknown option '--nope'/, 'jobs', 'list', '--nope'],
      [/There are pending, /, 'jobs', 'list', '--status', 'done'],
      [/must be JSON/, 'jobs', 'list', '--payload', '{a'],
      [/must be a date/, 'jobs', 'list', '--created-after', 'yesterday'],
      [/must be a whole number, 1 to 1,000/, 'jobs', 'list', '--limit', '0'],
      [/must be the id of a job/, 'jobs', 'show', 'x'],
      [/which jobs\?/, 'jobs', 'delete'],
      [/which jobs\?.*or --all/, 'jobs', 'redrive'],
      [/not both/, 'jobs', 'retry', '00000000-0000-7000-8000-000000000000', '--queue', 'q'],
      [/delete does nothing to jobs that are processing/, 'jobs', 'delete', '--status', 'processing'],
      [/missing required argument 'queue'/, 'queues', 'pause'],
      [/too many arguments/, 'workers', 'x'],
      [/longTransaction/, 'doctor', '--long-transaction', 'soon'],
      [/there is no file/, 'work', 'nowhere.mjs'],
      [/schema/, 'status', '--schema', 'pg_mine'],
      [/must begin with postgres:/, 'status', '--url', 'mysql://root:secret@host'],
    ]
    const runs = wrong.map(([message, ...args]) => ({ message, args, done: run(...args) }))
    for (const { message, args, done } of runs) {
      const { code, stdout, stderr } = await done
      expect({ args, code, stdout, stderr }).toEqual({
        args,
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(message),
      })
      expect(stderr).not.toContain('secret')
    }
  })

  test('without a database it says how to name one; help and version need none', async () => {
    expect(await runPgq(['status'], bareEnvironment())).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--url.*DATABASE_URL/),
    })
    expect(await runPgq(['--version'], bareEnvironment())).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
    const help = await runPgq(['jobs', 'delete', '--help'], bareEnvironment())
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/--dry-run[^]*--url/) })
  })

  test('a database that is away exits with 1, tells no password, and is JSON if that was asked for', async () => {
    const env = { ...bareEnvironment(), DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/db' }
    const { code, stdout, stderr } = await runPgq(['status', '--json'], env)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'DATABASE_UNAVAILABLE' } })
    expect(stderr).not.toContain('secret')
  })

  test('a schema that is not there exits with 1', async () => {
    const { run } = await queueForTest({ migrated: false })
    expect(await run('status')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(SCHEMA_MISSING)'),
    })
  })
})

describe('jobs', () => {
  test('list pages through what matches', async () => {
    const { pgq, json, run } = await queueForTest()
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
    const { pgq, run, json } = await queueForTest()
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
    const { pgq, run, json } = await queueForTest()
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
    const { pgq, run, json } = await queueForTest()
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
    const { pgq, sql, schema, json } = await queueForTest()
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
})

describe('queues, schedules, workers', () => {
  test('a queue is paused and resumed', async () => {
    const { pgq, run, json } = await queueForTest()
    await pgq.enqueue(mails, {})
    expect(await json('queues', 'pause', 'mails', '--reason', 'audit')).toMatchObject({
      code: 0,
      answer: { queue: 'mails', paused: true, changed: true },
    })
    expect((await json('queues')).answer).toMatchObject({
      queues: [{ queue: 'mails', due: { jobs: 1 }, pausedReason: 'audit' }],
    })
    expect((await run('queues', 'list')).stdout).toMatch(/mails .*paused: audit/)
    expect((await json('queues', 'resume', 'mails')).answer).toMatchObject({ changed: true })
    expect((await json('queues', 'resume', 'mails')).answer).toMatchObject({ changed: false })
    expect((await json('queues')).answer).toMatchObject({ queues: [{ pausedAt: null }] })
  })

  test('a schedule is looked at, run, paused, resumed and removed', async () => {
    const { pgq, run, json } = await queueForTest()
    await pgq.schedules.upsert(
      schedule(
        mails,
        { cron: '0 6 * * *', timezone: 'Europe/Berlin' },
        { to: 'all' },
        { name: 'newsletter' },
      ),
    )
    expect((await run('schedules')).stdout).toMatch(/newsletter +mails +0 6 \* \* \* Europe\/Berlin/)
    expect((await json('schedules', 'next', 'newsletter', '--count', '3')).answer.ticks).toHaveLength(3)
    const { answer } = await json('schedules', 'run', 'newsletter')
    expect(await pgq.get(answer.id)).toMatchObject({ queue: 'mails', payload: { to: 'all' } })
    await run('schedules', 'pause', 'newsletter')
    expect((await json('schedules', 'list', '--queue', 'mails')).answer.schedules[0].pausedAt).not.toBeNull()
    await run('schedules', 'resume', 'newsletter')
    expect((await json('schedules')).answer.schedules[0].pausedAt).toBeNull()
    expect(await run('schedules', 'remove', 'newsletter')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('This removes 1 schedule'),
    })
    expect(await run('schedules', 'remove', 'newsletter', '--yes')).toMatchObject({ code: 0 })
    for (const command of ['remove', 'run', 'pause', 'next'])
      expect(await run('schedules', command, 'newsletter'), command).toMatchObject({ code: 3 })
  })

  test('workers and status show who works, and doctor what is wrong', async () => {
    const { pgq, run, json } = await queueForTest()
    const worker = pgq.createWorker([handle(mails, () => {})], { name: 'wanda', concurrency: 7 })
    await worker.start()
    await pgq.enqueue(reports, {})
    expect((await run('workers')).stdout).toMatch(/wanda +alive .* 7 +mails /)
    expect((await json('workers')).answer).toMatchObject({
      workers: [{ name: 'wanda', state: 'alive', id: worker.id }],
    })
    expect((await json('status')).answer).toMatchObject({
      queues: [
        { queue: 'mails', workers: 1 },
        { queue: 'reports', due: { jobs: 1 } },
      ],
      workers: [{ name: 'wanda' }],
    })
    const { code, stdout } = await run('doctor')
    expect(code).toBe(3)
    expect(stdout).toMatch(/✗ queues +the queue "reports" has due jobs.*\n +→ start a worker/)
    expect(stdout).toMatch(/\d problems?\.\n$/)
    expect((await json('doctor')).answer).toMatchObject({ isHealthy: false })
    await worker.stop()
  })
})
