import { defineQueue, handle, schedule } from '@pgq/core'
import { work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { cliQueue } from './support/cli-queue.ts'

const mails = defineQueue('mails')
const reports = defineQueue('reports')

test('a queue is paused and resumed', async () => {
  const { pgq, run, json } = await cliQueue()
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
  // A queue that nobody knows may be a slip of the pen.
  expect(await run('queues', 'pause', 'mials')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('Nobody has used a queue of that name yet'),
  })
  expect(await run('queues', 'pause', 'mails')).toMatchObject({ code: 0, stderr: '' })
})

test('a schedule is looked at, run, paused, resumed and removed', async () => {
  const { pgq, run, json } = await cliQueue()
  await pgq.schedules.upsert(
    schedule(mails, { cron: '0 6 * * *', timezone: 'Europe/Berlin' }, { to: 'all' }, { name: 'newsletter' }),
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
  const { pgq, run, json } = await cliQueue()
  const worker = await work(pgq, [handle(mails, () => {})], { name: 'wanda', concurrency: 7 })
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
})
