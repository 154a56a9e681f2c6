import { defineQueue, schedule } from '@pgq/core'
import { until } from '@pgq/test-support'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { AuditEvent } from '../../src/index.ts'
import { browserTests } from '../support/browser.ts'
import { type FreshQueue, freshQueue } from '../support/fresh-queue.ts'

/** Says yes to the question, which must be this one. */
async function confirm(page: Page, title: string, verb: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: title })
  await dialog.waitFor()
  await dialog.getByRole('button', { name: verb, exact: true }).click()
  await dialog.waitFor({ state: 'hidden' })
}

/** How many jobs there are of each status. */
async function counts({ pgq }: FreshQueue): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const { status, jobs } of await pgq.counts()) sums[status] = (sums[status] ?? 0) + jobs
  return sums
}

/** Twenty jobs that wait, and as many dead ones of two errors. */
async function some(): Promise<FreshQueue> {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await pgq.enqueueMany(
    defineQueue('mails'),
    Array.from({ length: 20 }, (_, n) => ({ to: n % 2 ? 'ada' : 'bob' })),
    { delay: '1h' },
  )
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at, error)
     SELECT 'sms', 'dead', now(), CASE WHEN n <= 15 THEN 'connect ETIMEDOUT 10.0.0.' || n ELSE 'no such number' END FROM generate_series(1, 20) AS n`,
  )
  return fresh
}

browserTests('what can be done in a browser', (open) => {
  test.each([
    ['Retry', '', 'Retry 20 jobs?', { pending: 40 }],
    ['Redrive', 'status=dead&error=etimedout', 'Redrive 15 jobs?', { pending: 35, dead: 5 }],
    ['Cancel', 'payload=to%3Aada', 'Cancel 10 jobs?', { pending: 10, cancelled: 10, dead: 20 }],
    ['Delete', 'queue=sms&status=dead', 'Delete 20 jobs?', { pending: 20 }],
  ])('%s all that match, also what is on no page', async (verb, query, title, after) => {
    const fresh = await some()
    const told: AuditEvent[] = []
    const page = await open(fresh.pgq, `jobs?${query || 'status=dead'}`, {
      audit: (event) => told.push(event),
    })
    await page.getByRole('toolbar').getByRole('button', { name: verb, exact: true }).click()
    await confirm(page, title, verb)
    await page.getByText(/^(Retried|Redrove|Cancelled|Deleted) \d+ jobs\.$/).waitFor()
    expect(await counts(fresh)).toEqual(after)
    expect(told).toMatchObject([
      { action: `jobs.${verb.toLowerCase()}`, outcome: 'done', jobs: Number(/\d+/.exec(title)?.[0]) },
    ])
  })

  test('only what was picked is changed, and nothing when the answer is no', async () => {
    const fresh = await some()
    const page = await open(fresh.pgq, 'jobs?queue=mails')
    await page.getByRole('row').nth(1).getByRole('checkbox').check()
    await page.getByRole('row').nth(2).getByRole('checkbox').check()
    await page.getByText('2 selected').waitFor()
    await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('button', { name: 'Keep as is' }).click()
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click()
    await confirm(page, 'Delete 2 jobs?', 'Delete')
    await page.getByText('Deleted 2 jobs.').waitFor()
    await page.getByText('18 jobs', { exact: true }).waitFor()
    expect(await counts(fresh)).toEqual({ pending: 18, dead: 20 })
  })

  test('the question says how many it will be, up to where counting ends', async () => {
    const { pgq, sql, schema } = await freshQueue()
    await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'big' FROM generate_series(1, 10001)`)
    const page = await open(pgq, 'jobs?queue=big')
    await page.getByText('Newest 50 jobs').waitFor()
    await page.getByRole('toolbar').getByRole('button', { name: 'Cancel' }).click()
    await confirm(page, 'Cancel at least 10,000 jobs?', 'Cancel')
    await page.getByText('Cancelled 10,001 jobs.').waitFor()
  })

  test('a job is retried, cancelled and deleted on its page', async () => {
    const { pgq } = await freshQueue()
    const { id } = await pgq.enqueue(defineQueue('mails'), 1, { delay: '1h' })
    const page = await open(pgq, `jobs/${id}`)
    const head = page.locator('.page-head')
    await page.getByText('It is not due yet').waitFor()
    await head.getByRole('button', { name: 'Retry' }).click()
    await confirm(page, 'Retry this job?', 'Retry')
    await page.getByText('It is not due yet').waitFor({ state: 'hidden' })
    await head.getByRole('button', { name: 'Cancel' }).click()
    await confirm(page, 'Cancel this job?', 'Cancel')
    await page.locator('.facts').getByText('Cancelled').waitFor()
    await head.getByRole('button', { name: 'Delete' }).click()
    await confirm(page, 'Delete this job?', 'Delete')
    await page.waitForURL('**/jobs')
    expect(await pgq.get(id)).toBeNull()
  })

  test('a queue is paused and resumed, in the list and on its page', async () => {
    const { pgq } = await freshQueue()
    await pgq.enqueue(defineQueue('mails'), 1)
    const page = await open(pgq, '', { authorize: () => ({ access: 'write', actor: 'ada' }) })
    await page.getByRole('button', { name: 'Pause mails' }).click()
    await confirm(page, 'Pause mails?', 'Pause')
    await page.getByText('Paused', { exact: true }).waitFor()
    expect((await pgq.queues())[0]?.pausedReason).toBe('paused by ada')
    await page.getByRole('link', { name: 'mails' }).click()
    await page.getByText('paused by ada').waitFor()
    await page.getByRole('button', { name: 'Resume mails' }).click()
    await page.getByText('paused by ada').waitFor({ state: 'hidden' })
    expect((await pgq.queues())[0]?.pausedAt).toBeNull()
  })

  test('a schedule is run, paused and resumed', async () => {
    const { pgq } = await freshQueue()
    await pgq.schedules.upsert(schedule(defineQueue('mails'), { every: '1d' }, 1, { name: 'nightly' }))
    const page = await open(pgq, 'schedules')
    const paused = async (): Promise<boolean> => (await pgq.schedules.list())[0]?.pausedAt !== null
    await page.getByRole('button', { name: 'Run nightly now' }).click()
    await confirm(page, 'Run nightly now?', 'Run now')
    await until('a job was enqueued', async () => (await pgq.list()).jobs.length === 1)
    await page.getByRole('button', { name: 'Pause nightly' }).click()
    await confirm(page, 'Pause nightly?', 'Pause')
    await page.getByText('Paused', { exact: true }).waitFor()
    expect(await paused()).toBe(true)
    await page.getByRole('button', { name: 'Resume nightly' }).click()
    await page.getByRole('button', { name: 'Pause nightly' }).waitFor()
    expect(await paused()).toBe(false)
  })

  test('all dead jobs of one error are redriven, and those of another deleted', async () => {
    const fresh = await some()
    const page = await open(fresh.pgq, 'dead')
    const group = (text: string) => page.getByRole('listitem').filter({ hasText: text })
    await group('ETIMEDOUT').getByRole('button', { name: 'Redrive' }).click()
    await confirm(page, 'Redrive 15 jobs?', 'Redrive')
    await group('ETIMEDOUT').waitFor({ state: 'hidden' })
    await group('no such number').getByRole('button', { name: 'Delete' }).click()
    await confirm(page, 'Delete 5 jobs?', 'Delete')
    await page.getByText('Nothing is dead').waitFor()
    expect(await counts(fresh)).toEqual({ pending: 35 })
  })

  test('an action that fails says why, and changes nothing', async () => {
    const fresh = await some()
    let access: 'read' | 'write' = 'write'
    const page = await open(fresh.pgq, 'jobs?queue=sms', { authorize: () => access })
    await page.getByText('20 jobs', { exact: true }).waitFor()
    access = 'read'
    await page.getByRole('toolbar').getByRole('button', { name: 'Delete' }).click()
    await confirm(page, 'Delete 20 jobs?', 'Delete')
    await page.getByText('You may look, but not change anything.').waitFor()
    expect(await counts(fresh)).toEqual({ pending: 20, dead: 20 })
  })
})
