import type { Pgq } from '@pgq/core'
import { cleanUpAfterwards } from '@pgq/test-support'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { findChromium, launchChromium } from '../../scripts/chromium.mjs'
import { dashboardMiddleware, type MountedRequest } from '../../src/express.ts'
import type { DashboardOptions } from '../../src/index.ts'
import { serve } from './serve.ts'

/** Opens a page of a dashboard, for somebody who may do anything unless the options say otherwise. */
export type Open = (
  pgq: Pgq,
  path?: string,
  options?: Partial<DashboardOptions<MountedRequest>> & { readonly context?: BrowserContextOptions },
) => Promise<Page>

const chromium = findChromium()
if (chromium === undefined)
  console.warn(
    'SKIPPED: tests in a browser. There is no Chromium on this machine (apt-get install chromium).',
  )

/**
 * Tests in a browser, where there is one. Whatever the page complains of fails the test that made it: errors, what its own security policy
 * has refused, and what it asked of anybody else.
 */
export function browserTests(name: string, define: (open: Open) => void): void {
  // oxlint-disable-next-line vitest/valid-title -- it is a string
  describe.skipIf(chromium === undefined)(name, () => {
    let browser: Browser
    const complaints: string[] = []
    beforeAll(async () => {
      browser = await launchChromium(chromium ?? '')
    })
    afterAll(() => browser.close())
    afterEach(() => expect(complaints.splice(0)).toEqual([]))

    define(async (pgq, path = '', { context: settings, ...options } = {}) => {
      const url = await serve(dashboardMiddleware(pgq, { authorize: () => 'write', ...options }))
      const context = await browser.newContext({ reducedMotion: 'reduce', ...settings })
      cleanUpAfterwards(() => context.close())
      context.setDefaultTimeout(15_000)
      const page = await context.newPage()
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('console', (message) => {
        // An answer of 400 and more is told by the page itself.
        if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
          complaints.push(message.text())
      })
      page.on('dialog', (dialog) => {
        complaints.push(`a dialog: ${dialog.message()}`)
        void dialog.dismiss()
      })
      page.on('request', (request) => {
        if (!request.url().startsWith(`${url}/`) && !request.url().startsWith('data:'))
          complaints.push(`asked ${request.url()}`)
      })
      await page.goto(`${url}/${path}`)
      await page.locator('h1').waitFor()
      return page
    })
  })
}
