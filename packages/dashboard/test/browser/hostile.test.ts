import { defineQueue, handle, schedule } from '@pgq/core'
import { latch, work } from '@pgq/test-support'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { browserTests } from '../support/browser.ts'
import { freshQueue } from '../support/fresh-queue.ts'

/** Text that becomes something else wherever it is not taken as text. */
const HOSTILE = [
  `<img src=x onerror="window.pwned=1">`,
  `"><script>window.pwned=1</script>`,
  `'--></style></script><svg/onload=window.pwned=1>`,
  `javascript:window.pwned=1//`,
  '{{constructor.constructor("window.pwned=1")()}} ${window.pwned=1}',
  '\u202Eevil\u0007\u200B\u0085\uFFFF \u{1F4A3}',
]
/** Names that are something else in an address. */
const ODD_NAMES = ['..', '.', 'a/b/../c', '%2F%00', '?x=1#y', 'a b&c=d+e', '//evil.test', ...HOSTILE]

/** As a name, which has no control characters. */
const nameOf = (text: string): string => text.replaceAll(/\p{Cc}/gu, '')

/** Nothing has run, nothing was made of it, and the page is still there. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.evaluate('window.pwned')).toBeUndefined()
  expect(
    await page.locator('#app img, #app script, #app iframe, svg[onload], a[href^="javascript:"]').count(),
  ).toBe(0)
  expect(await page.locator('nav a').count()).toBe(5)
}

browserTests('hostile strings', (open) => {
  test.each(HOSTILE)('%j in every field of a job stays text', async (text) => {
    const { pgq, sql, schema } = await freshQueue()
    const errors = [{ attempt: 1, at: text, name: text, message: text, stack: text }]
    const [{ id }] = await sql(
      `INSERT INTO ${schema}.jobs (queue_name, status, payload, result, progress, metadata, error, errors, unique_key, group_key, completed_at)
       VALUES ($1, 'dead', $2, $2, $2, $2, $1, $3, $1, $1, now()) RETURNING id`,
      [text, JSON.stringify({ [text]: text }), JSON.stringify(errors)],
    )
    const page = await open(pgq, `jobs/${id}`, {
      title: text,
      authorize: () => ({ access: 'write', actor: text }),
    })
    await page.getByRole('heading', { name: 'Errors' }).waitFor()
    await expectHarmless(page)
    expect(await page.locator('.attempt-message').innerText()).toContain(text.trim().slice(0, 12))
    expect(await page.title()).toContain(text.trim().slice(0, 4))
    for (const place of ['Jobs', 'Dead letters', 'Queues']) {
      await page.locator('nav').getByRole('link', { name: place }).click()
      await page.locator('tbody tr, .group').first().waitFor()
      await expectHarmless(page)
    }
  })

  test.each(HOSTILE)(
    '%j as the name of a worker, of a schedule and of why a queue is paused stays text',
    async (text) => {
      const { pgq } = await freshQueue()
      const name = nameOf(text)
      const [begun, go] = [latch(), latch()]
      const queue = defineQueue(name)
      await work(
        pgq,
        [
          handle(queue, async () => {
            begun.open()
            await go.opened
          }),
        ],
        { name },
      )
      await pgq.enqueue(queue, text)
      await begun.opened
      await pgq.schedules.upsert(schedule(queue, { every: '1d' }, text, { name }))
      await pgq.pause(name, { reason: text })
      const page = await open(pgq, 'workers')
      await page.getByText('Alive', { exact: true }).first().waitFor()
      await expectHarmless(page)
      await page.locator('nav').getByRole('link', { name: 'Schedules' }).click()
      await page.locator('tbody tr').waitFor()
      await page.getByRole('button', { name: /^Run .* now$/s }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click()
      await page.getByText('has enqueued a job').waitFor()
      await expectHarmless(page)
      await page.locator('nav').getByRole('link', { name: 'Queues' }).click()
      await page.locator('tbody th a').click()
      await page.locator('.callout').waitFor()
      await expectHarmless(page)
      go.open()
    },
  )

  test.each(ODD_NAMES)('the queue %j has a page, and is paused and resumed', async (odd) => {
    const { pgq } = await freshQueue()
    const name = nameOf(odd)
    await pgq.enqueue(defineQueue(name), 1)
    const page = await open(pgq)
    await page.locator('tbody th a').click()
    await page.getByRole('button', { name: /^Pause/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
    await page.locator('.callout').waitFor()
    expect(await pgq.queues()).toMatchObject([{ queue: name, pausedAt: expect.any(Date) }])
    await page.reload()
    await page.locator('.callout').waitFor()
    await page.getByRole('link', { name: /^All jobs of/ }).click()
    await page.getByText('1 job', { exact: true }).waitFor()
    await expectHarmless(page)
  })

  test.each(HOSTILE)('%j as an address and as what is looked for stays text', async (text) => {
    const { pgq } = await freshQueue()
    await pgq.enqueue(defineQueue('mails'), 1)
    const query = new URLSearchParams({
      queue: text,
      payload: text,
      error: text,
      status: text,
      after: text,
      name: text,
    }).toString()
    for (const path of [
      `jobs?${query}`,
      `jobs/${encodeURIComponent(text)}`,
      `queue?${query}`,
      `?${query}#${text}`,
    ]) {
      const page = await open(pgq, path)
      await page.locator('h1').waitFor()
      await expectHarmless(page)
    }
  })
})
