import { once } from 'node:events'
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
/** As a name, which has no control characters. */
const nameOf = (text: string): string => text.replaceAll(/\p{Cc}/gu, '')
/** Names that are something else in an address. */
const ODD_NAMES = [
  '..',
  '.',
  'a/b/../c',
  '%2F%00',
  '?x=1#y',
  'a b&c=d+e',
  '//evil.test',
  ...HOSTILE.map(nameOf),
]

/** Nothing has run, nothing was made of it, and the page is still there. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.evaluate('window.pwned')).toBeUndefined()
  expect(
    await page.locator('#app img, #app script, #app iframe, svg[onload], a[href^="javascript:"]').count(),
  ).toBe(0)
  expect(await page.locator('nav a').count()).toBe(5)
}

browserTests('hostile strings', (open) => {
  test('in every field of a job they stay text, on all pages', async () => {
    const { pgq, sql, schema } = await freshQueue()
    const [title = ''] = HOSTILE
    const page = await open(pgq, '', { title, authorize: () => ({ access: 'write', actor: HOSTILE.join() }) })
    const root = page.url()
    for (const text of HOSTILE) {
      const errors = [{ attempt: 1, at: text, name: text, message: text, stack: text }]
      const [{ id }] = await sql(
        `INSERT INTO ${schema}.jobs (queue_name, status, payload, result, progress, metadata, error, errors, unique_key, group_key, completed_at)
         VALUES ($1, 'dead', $2, $2, $2, $2, $1, $3, $1, $1, now()) RETURNING id`,
        [text, JSON.stringify({ [text]: text }), JSON.stringify(errors)],
      )
      await page.goto(`${root}jobs/${id}`)
      await page.getByRole('heading', { name: 'Errors' }).waitFor()
      await expectHarmless(page)
      expect(await page.locator('.attempt-message').innerText()).toContain(text.trim().slice(0, 12))
      expect(await page.title()).toContain(title)
    }
    for (const place of ['Jobs', 'Dead letters', 'Queues']) {
      await page.locator('nav').getByRole('link', { name: place }).click()
      await page
        .getByText(HOSTILE[0] ?? '')
        .filter({ visible: true })
        .first()
        .waitFor()
      await expectHarmless(page)
    }
  })

  test('as names of workers and schedules, and as why a queue is paused, they stay text', async () => {
    const { pgq } = await freshQueue()
    for (const text of HOSTILE) {
      const name = nameOf(text)
      const queue = defineQueue(name)
      const begun = latch()
      const run = handle(queue, async (_, ctx) => {
        begun.open()
        await once(ctx.signal, 'abort')
      })
      await work(pgq, [run], { name, maintenance: false })
      await pgq.enqueue(queue, text)
      await begun.opened
      await pgq.schedules.upsert(schedule(queue, { every: '1d' }, text, { name }))
      await pgq.pause(name, { reason: text })
    }
    const page = await open(pgq, 'workers')
    await page.getByText('Alive', { exact: true }).nth(HOSTILE.length).waitFor()
    await expectHarmless(page)
    await page.locator('nav').getByRole('link', { name: 'Schedules' }).click()
    for (const text of HOSTILE) {
      await page.getByRole('button', { name: `Run ${nameOf(text)} now`, exact: true }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click()
      await page.getByRole('dialog').waitFor({ state: 'hidden' })
      await expectHarmless(page)
    }
    const root = new URL('.', page.url()).href
    for (const text of HOSTILE) {
      await page.goto(`${root}queue?${new URLSearchParams({ name: nameOf(text) }).toString()}`)
      await page.locator('.callout').waitFor()
      await expectHarmless(page)
    }
  })

  test('queues with odd names have a page, and are paused and resumed', async () => {
    const { pgq } = await freshQueue()
    for (const name of ODD_NAMES) await pgq.enqueue(defineQueue(name), 1)
    const page = await open(pgq)
    for (const name of ODD_NAMES) {
      await page.locator('tbody th').getByText(name, { exact: true }).click()
      await page.getByRole('heading', { level: 1 }).getByText(name, { exact: true }).waitFor()
      await page.getByRole('button', { name: /^Pause/ }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
      await page.locator('.callout').waitFor()
      await page.getByRole('link', { name: 'All jobs' }).click()
      await page.getByText('1 job', { exact: true }).waitFor()
      await page.goBack()
      await page.reload()
      await page.locator('.callout').waitFor()
      await expectHarmless(page)
      await page.locator('nav').getByRole('link', { name: 'Queues' }).click()
    }
    expect((await pgq.queues()).filter(({ pausedAt }) => pausedAt === null)).toEqual([])
  })

  test('as an address and as what is looked for they stay text', async () => {
    const { pgq } = await freshQueue()
    await pgq.enqueue(defineQueue('mails'), 1)
    const page = await open(pgq)
    const root = page.url()
    for (const text of HOSTILE) {
      const fields = ['queue', 'payload', 'error', 'status', 'after', 'name']
      const query = new URLSearchParams(Object.fromEntries(fields.map((field) => [field, text]))).toString()
      for (const path of [
        `jobs?${query}`,
        `jobs/${encodeURIComponent(text)}`,
        `queue?${query}`,
        `?${query}#${text}`,
      ]) {
        await page.goto(root + path)
        await page.locator('h1').waitFor()
        await expectHarmless(page)
      }
    }
  })
})
