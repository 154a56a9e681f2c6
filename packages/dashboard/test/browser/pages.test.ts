import { CancelJob, DeadJob, defineQueue, handle, schedule } from '@pgq/core'
import { latch, until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { browserTests } from '../support/browser.ts'
import { freshQueue } from '../support/fresh-queue.ts'

browserTests('pages', (open) => {
  test('queues: how they stand, live, and what they did', async () => {
    const { pgq, sql, schema } = await freshQueue()
    await sql(
      `INSERT INTO ${schema}.queue_minutes (minute, queue_name, completed, failed, waited_ms, ran_ms)
       SELECT date_bin('1 minute', now(), '2000-01-01 00:00Z') - n * interval '1 minute', 'mails', 30, 10, 400, 4000 FROM generate_series(1, 20) AS n`,
    )
    await pgq.enqueueMany(defineQueue('mails'), [1, 2, 3])
    await sql(`UPDATE ${schema}.jobs SET scheduled_for = now() - interval '2 h'`)
    await pgq.enqueue(defineQueue('mails'), 4, { delay: '1h' })
    const page = await open(pgq)
    const row = page.getByRole('row', { name: /mails/ })
    await row.getByText('2h').waitFor()
    expect(await row.getByRole('cell').allInnerTexts()).toEqual(
      expect.arrayContaining(['3', '0', '1', expect.stringMatching(/^2h/), '25%']),
    )
    await pgq.enqueue(defineQueue('sms'), 1)
    await page.getByRole('row', { name: /sms/ }).waitFor()
    const chart = page.getByRole('slider', { name: 'Throughput per minute' })
    expect(await chart.getAttribute('aria-valuetext')).toBe('600 attempts completed and 200 failed')
    await page.getByRole('button', { name: 'Day' }).click()
    await page.waitForResponse(/history\?since=24h/)
    await row.getByRole('link', { name: 'mails' }).click()
    await page.getByRole('heading', { level: 1, name: 'mails' }).waitFor()
    expect(new URL(page.url()).search).toBe('?name=mails')
    await page.getByText('2h').waitFor()
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Queues' }).waitFor()
  })

  test('jobs: what is looked for is the address, which can be sent to somebody', async () => {
    const { pgq, sql, schema } = await freshQueue()
    await pgq.enqueueMany(defineQueue('mails'), [{ to: 'ada' }, { to: 'bob' }])
    await sql(
      `INSERT INTO ${schema}.jobs (queue_name, status, completed_at, error, created_at) VALUES ('sms', 'dead', now(), 'no route', now() - interval '3 d')`,
    )
    const page = await open(pgq, 'jobs')
    const rows = page.locator('tbody tr')
    await page.getByText('3 jobs', { exact: true }).waitFor()
    await page.getByLabel('Payload').fill('to:ada')
    await page.getByLabel('Payload').press('Enter')
    await page.getByText('1 job', { exact: true }).waitFor()
    expect(new URL(page.url()).search).toBe('?payload=to%3Aada')
    expect(await page.evaluate('document.activeElement.closest("label")?.textContent')).toBe('Payload')
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByText('3 jobs', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Dead', exact: true }).click()
    await page.getByText('1 job', { exact: true }).waitFor()
    expect(await rows.first().innerText()).toContain('no route')
    await page.getByRole('button', { name: 'All', exact: true }).click()
    await page.getByLabel('Error').fill('NO ROUTE')
    await page.getByRole('button', { name: 'Search', exact: true }).click()
    await page.getByText('1 job', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByLabel('Created before').fill(new Date(Date.now() - 86_400_000).toISOString().slice(0, 16))
    await page.getByRole('button', { name: 'Search', exact: true }).click()
    await page.getByText('1 job', { exact: true }).waitFor()
    const again = await open(pgq, `jobs${new URL(page.url()).search}`)
    await again.getByText('1 job', { exact: true }).waitFor()
    await page.goBack()
    await page.getByText('3 jobs', { exact: true }).waitFor()
    await page.getByLabel('Payload').fill('{broken')
    await page.getByLabel('Payload').press('Enter')
    await page.getByRole('alert').getByText('the payload to look for is not JSON').waitFor()
    await page.getByLabel('Payload').fill('nothing has this')
    await page.getByLabel('Payload').press('Enter')
    await page.getByText('No job matches').waitFor()
  })

  test('jobs: more of them are shown on demand, and a search for what is rare looks on', async () => {
    const { pgq, sql, schema } = await freshQueue()
    await pgq.enqueue(defineQueue('rare'), { needle: true })
    await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'hay' FROM generate_series(1, 30000)`)
    const page = await open(pgq, 'jobs?status=pending')
    await page.getByText('Newest 50 jobs').waitFor()
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByText('Newest 100 jobs').waitFor()
    await page.getByLabel('Payload').fill('needle:true')
    await page.getByLabel('Payload').press('Enter')
    await page.getByText('1 job', { exact: true }).waitFor({ timeout: 30_000 })
  })

  test('a job: all that is known of it, and live', async () => {
    const { pgq } = await freshQueue()
    const [begun, go] = [latch(), latch()]
    const queue = defineQueue('reports', { maxAttempts: 2, backoff: () => 0 })
    await work(pgq, [
      handle(queue, async (job, ctx) => {
        if (job.attempt === 1) throw new TypeError('the first one never works')
        await ctx.progress(0.4)
        begun.open()
        await go.opened
        return { pages: 12 }
      }),
    ])
    const { id } = await pgq.enqueue(
      queue,
      { month: 'May' },
      { uniqueKey: 'may', metadata: { trace: 'abc' } },
    )
    await begun.opened
    const page = await open(pgq, `jobs/${id}`)
    const facts = page.locator('.facts')
    await facts.getByText('Running', { exact: true }).waitFor()
    await page.getByText('40%').waitFor()
    await page.getByText('"month": "May"').waitFor()
    await page.getByText('"trace": "abc"').waitFor()
    await page.getByText('Where it runs').waitFor()
    await page.getByText('TypeError').first().waitFor()
    expect(await page.locator('.attempts').innerText()).toContain('the first one never works')
    expect(await page.locator('.timeline .step-title').allInnerTexts()).toEqual([
      'Created',
      'Attempt 1 failed: TypeError',
      'Attempt 2 started',
    ])
    go.open()
    await facts.getByText('Completed').waitFor()
    await page.getByText('"pages": 12').waitFor()
    expect(await page.locator('.timeline .step-title').allInnerTexts()).toContain('Completed')
  })

  test('a job that there is not says so', async () => {
    const { pgq } = await freshQueue()
    const page = await open(pgq, 'jobs/00000000-0000-7000-8000-000000000000')
    await page.getByText('There is no such job').waitFor()
  })

  test('workers: who works, on what', async () => {
    const { pgq } = await freshQueue()
    const queue = defineQueue('reports')
    const [begun, go] = [latch(), latch()]
    const run = async (): Promise<void> => {
      begun.open()
      await go.opened
    }
    const page = await open(pgq, 'workers')
    await page.getByText('No worker is alive').waitFor()
    await work(pgq, [handle(queue, run, { concurrency: 7 })], { name: 'worker-one' })
    await pgq.enqueue(queue, 1)
    await begun.opened
    const row = page.getByRole('row', { name: /worker-one/ })
    await row.getByText('Alive').waitFor()
    await row.getByRole('link', { name: 'reports' }).waitFor()
    expect(await row.innerText()).toContain('1 / 7')
    go.open()
  })

  test('schedules: when they ran, and run next', async () => {
    const { pgq } = await freshQueue()
    const queue = defineQueue('reports')
    await pgq.schedules.upsert(
      schedule(queue, { cron: '0 6 * * 1-5', timezone: 'Europe/Berlin' }, 1, { name: 'daily' }),
    )
    await pgq.schedules.upsert(schedule(queue, { every: '90m' }, 1, { name: 'often' }))
    await work(pgq, [handle(queue, () => {})])
    const page = await open(pgq, 'schedules')
    const row = (name: string) => page.getByRole('row', { name: new RegExp(name) })
    await row('daily').getByText('0 6 * * 1-5 (Europe/Berlin)').waitFor()
    await row('often').getByText('every 90 min').waitFor()
    await row('often')
      .getByText(/^in \d+[ms]$|^in 1h$/)
      .waitFor()
  })

  test('dead letters: by error, with a way to the jobs', async () => {
    const { pgq } = await freshQueue()
    const queue = defineQueue('sms', { maxAttempts: 1 })
    const dead = handle(queue, (job) => {
      if (job.payload === 1) throw new CancelJob('not dead')
      throw new DeadJob(`no route to number ${String(job.payload)}`)
    })
    await work(pgq, [dead])
    await pgq.enqueueMany(queue, [1, 2, 3])
    await until('they have ended', async () => (await pgq.counts({ status: 'dead' }))[0]?.jobs === 2)
    const page = await open(pgq, 'dead')
    const group = page.getByRole('listitem').filter({ hasText: 'no route to number' })
    expect(await group.locator('.group-count').innerText()).toBe('2')
    await group.getByRole('link', { name: 'Jobs' }).click()
    await page.getByText('2 jobs', { exact: true }).waitFor()
    await page.goBack()
    await group.getByRole('link', { name: /no route/ }).click()
    await page.getByRole('heading', { name: 'Errors' }).waitFor()
  })

  test('a place that there is not, and one that breaks, leave the way to the others', async () => {
    const { pgq } = await freshQueue()
    const page = await open(pgq, 'queue')
    await page.getByText('There is no such page').waitFor()
    await page.getByRole('link', { name: 'Workers' }).click()
    await page.getByText('No worker is alive').waitFor()
  })
})
