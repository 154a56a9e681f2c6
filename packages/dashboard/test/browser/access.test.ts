import { defineQueue, type JobRecord, schedule } from '@pgq/core'
import { expect, test } from 'vitest'
import { browserTests } from '../support/browser.ts'
import { type FreshQueue, freshQueue } from '../support/fresh-queue.ts'

const PLACES = ['', 'queue?name=mails', 'jobs', 'dead', 'schedules', 'workers']
/** Hides what it was about, and what went wrong. */
const redact = (job: JobRecord): JobRecord => ({ ...job, payload: '…', error: null })
const ACTS = /^(Retry|Redrive|Cancel|Delete|Pause .*|Resume .*|Run .*)$/

async function some(): Promise<FreshQueue & { readonly id: string }> {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = defineQueue('mails')
  const { id } = await pgq.enqueue(queue, { to: 'ada' })
  await pgq.schedules.upsert(schedule(queue, { every: '1d' }, 1, { name: 'nightly' }))
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at, error) VALUES ('mails', 'dead', now(), 'no route to host')`,
  )
  return { ...fresh, id }
}

browserTests('who may what', (open) => {
  test('whoever may only look sees everything, and nothing to act with', async () => {
    const { pgq, id } = await some()
    const page = await open(pgq, '', { authorize: () => ({ access: 'read', actor: 'bob' }) })
    const root = page.url()
    for (const place of [...PLACES, `jobs/${id}`]) {
      await page.goto(root + place)
      await page.getByText('Read only').waitFor()
      if (place !== 'workers') await page.locator('tbody tr, .group, .step, .chart').first().waitFor()
      expect.soft(await page.getByRole('button', { name: ACTS }).count(), place).toBe(0)
      expect.soft(await page.getByRole('checkbox').count(), place).toBe(0)
    }
    const writer = await open(pgq, 'dead')
    await writer.locator('.group').waitFor()
    expect(await writer.getByRole('button', { name: ACTS }).count()).toBeGreaterThan(0)
  })

  test('whoever may see nothing sees that', async () => {
    const { pgq } = await some()
    const page = await open(pgq, '', { authorize: () => 'none' })
    expect(await page.locator('body').innerText()).toContain('You may not see this.')
    expect(await page.locator('nav').count()).toBe(0)
  })

  test('whoever loses the right while the page is open is told', async () => {
    const { pgq } = await some()
    let access: 'read' | 'none' = 'read'
    const page = await open(pgq, 'jobs', { authorize: () => access })
    await page.getByText('2 jobs', { exact: true }).waitFor()
    access = 'none'
    await page.getByRole('button', { name: 'Dead', exact: true }).click()
    await page.getByRole('alert').getByText('You may not see this.').waitFor()
  })

  test('whoever may not search in what is hidden has no field for it', async () => {
    const { pgq } = await some()
    const reader = await open(pgq, 'jobs', { redact, authorize: () => 'read' })
    await reader.getByText('2 jobs', { exact: true }).waitFor()
    expect(await reader.getByLabel('Payload').count()).toBe(0)
    expect(await reader.getByLabel('Queue').count()).toBe(1)
    expect(await reader.locator('main').innerText()).not.toMatch(/ada|route/)
    const writer = await open(pgq, 'jobs', { redact })
    await writer.getByText('2 jobs', { exact: true }).waitFor()
    expect(await writer.getByLabel('Payload').count()).toBe(1)
  })
})
