import { once } from 'node:events'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { defineQueue, handle, schedule } from '@pgq/core'
import { latch, work } from '@pgq/test-support'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { browserTests } from '../support/browser.ts'
import { type FreshQueue, freshQueue } from '../support/fresh-queue.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PHONE = { width: 360, height: 740 }
const SETTINGS: Record<string, BrowserContextOptions> = {
  'light, on a desktop': { colorScheme: 'light' },
  'dark, on a phone': { colorScheme: 'dark', viewport: PHONE, hasTouch: true },
}

/** What axe complains of. */
async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const { violations } = await page.evaluate<{
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
  }>('axe.run()')
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
  )
}

/** Waits until a page shows what it is about, and is told of changes. */
async function isShown(page: Page): Promise<void> {
  await page.locator('tbody tr, .group, .step, .figure').first().waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
}

/** Something for every page to show. */
async function some(): Promise<FreshQueue & { readonly places: readonly string[] }> {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const begun = latch()
  const queue = defineQueue('payment.receipt.of.a.customer.with.a.long.name')
  await sql(
    `INSERT INTO ${schema}.queue_minutes (minute, queue_name, completed, failed, waited_ms, ran_ms)
     SELECT date_bin('1 minute', now(), '2000-01-01 00:00Z') - n * interval '1 minute', $1, 30, n % 3, 400, 4000 FROM generate_series(1, 50) AS n`,
    [queue.name],
  )
  const error = `Cannot read properties of undefined (reading 'amount') at https://example.com/${'long/'.repeat(40)}`
  const [{ id: dead }] = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, payload, completed_at, error, errors) VALUES ($1, 'dead', $2, now(), $3, $4) RETURNING id`,
    [
      queue.name,
      JSON.stringify({ text: 'x'.repeat(500) }),
      error,
      JSON.stringify([
        { attempt: 1, at: new Date(), name: 'TypeError', message: error, stack: error.repeat(3) },
      ]),
    ],
  )
  await pgq.schedules.upsert(
    schedule(queue, { every: '1d' }, 1, { name: 'a.schedule.with.quite.a.long.name' }),
  )
  await work(pgq, [
    handle(queue, async (_, ctx) => {
      await ctx.progress(0.5)
      begun.open()
      await once(ctx.signal, 'abort')
    }),
  ])
  const { id: running } = await pgq.enqueue(queue, { to: 'ada' })
  await begun.opened
  await pgq.pause(queue.name, { reason: 'the provider is down' })
  const { id: waiting } = await pgq.enqueue(queue, { to: 'bob' })
  const queuePage = `queue?name=${queue.name}`
  return {
    ...fresh,
    places: [
      '',
      queuePage,
      'jobs',
      `jobs/${dead}`,
      `jobs/${running}`,
      `jobs/${waiting}`,
      'dead',
      'schedules',
      'workers',
    ],
  }
}

browserTests('for everybody', (open) => {
  test.each(Object.keys(SETTINGS))('axe has no complaint: %s', async (name) => {
    const { pgq, places } = await some()
    const page = await open(pgq, '', { context: SETTINGS[name] ?? {} })
    const root = page.url()
    for (const place of places) {
      await page.goto(root + place)
      await isShown(page)
      expect.soft(await complaints(page), place).toEqual([])
    }
  })

  test('nothing is wider than a phone, and what is pressed is large enough for a thumb', async () => {
    const { pgq, places } = await some()
    const page = await open(pgq, '', { context: { viewport: PHONE, hasTouch: true } })
    const root = page.url()
    for (const place of places) {
      await page.goto(root + place)
      await isShown(page)
      expect
        .soft(await page.evaluate('document.documentElement.scrollWidth'), place)
        .toBeLessThanOrEqual(PHONE.width)
      const heights = await page.evaluate<number[]>(
        `[...document.querySelectorAll('main button, nav a')].map((one) => one.getBoundingClientRect().height).filter((height) => height > 0)`,
      )
      expect.soft(Math.min(...heights), place).toBeGreaterThanOrEqual(34)
    }
  })

  test('everything is reached and done with the keyboard alone', async () => {
    const { pgq } = await some()
    const page = await open(pgq, 'dead')
    const press = (...keys: string[]): Promise<void> =>
      keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve())
    const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent.trim()')
    await page.locator('.group').waitFor()
    expect(await focused()).toBe('Dead letters')
    await page.locator('.skip').focus()
    expect((await page.locator('.skip').boundingBox())?.height).toBeGreaterThan(20)
    await press('Enter', 'Tab')
    expect(await focused()).toContain('Cannot read properties')
    await press('Tab', 'Tab', 'Tab')
    expect(await focused()).toBe('Redrive')
    await press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Redrive 1 job?' })
    await dialog.waitFor()
    expect(await focused()).toBe('Keep as is')
    await press('Tab')
    expect(await focused()).toBe('Redrive')
    await press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    expect(await focused()).toBe('Redrive')
    await press('Enter')
    await dialog.waitFor()
    await press('Tab', 'Enter')
    await page.getByText('Redrove 1 job.').waitFor()
    await page.getByText('Nothing is dead').waitFor()
  })

  test('a page that was opened takes the focus, so that a screen reader says where one is', async () => {
    const { pgq } = await some()
    const page = await open(pgq)
    await page.locator('nav').getByRole('link', { name: 'Workers' }).click()
    await page.getByRole('heading', { level: 1, name: 'Workers' }).waitFor()
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Workers')
    expect(await page.title()).toBe('Workers · pgq')
    expect(await page.locator('nav a[aria-current=page]').innerText()).toBe('Workers')
  })

  test('a slash begins a search, and a chart is read with the arrow keys', async () => {
    const { pgq } = await some()
    const page = await open(pgq, 'jobs')
    await page.keyboard.press('/')
    await page.keyboard.type('ada/bob')
    expect(await page.getByLabel('Payload').inputValue()).toBe('ada/bob')
    await page.locator('nav').getByRole('link', { name: 'Queues' }).click()
    const chart = page.getByRole('slider', { name: 'Failure rate' })
    const before = await chart.getAttribute('aria-valuetext')
    await chart.focus()
    for (let presses = 0; presses < 8; presses++) await page.keyboard.press('ArrowLeft')
    const after = await chart.getAttribute('aria-valuetext')
    expect([before, after]).toEqual([
      expect.stringMatching(/overall$/),
      expect.stringMatching(/^\d+:\d+.*Failure rate \d/),
    ])
    await page.keyboard.press('Escape')
    expect(await chart.getAttribute('aria-valuetext')).toBe(before)
  })

  test('the colours follow the system until they are chosen, and then stay chosen', async () => {
    const { pgq } = await some()
    const page = await open(pgq, '', { context: { colorScheme: 'dark' } })
    const background = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const dark = await background()
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await background()
    expect(light).not.toBe(dark)
    await page.getByRole('button', { name: 'Switch to dark colours' }).click()
    expect(await background()).toBe(dark)
    await page.reload()
    expect(await background()).toBe(dark)
  })
})
