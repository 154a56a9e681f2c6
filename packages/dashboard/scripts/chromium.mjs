import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

/** The Chromium of this machine, or the one that CHROMIUM names; undefined when there is none. */
export function findChromium() {
  const places = [
    process.env.CHROMIUM,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ]
  return places.find((path) => path && existsSync(path))
}

const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts it without a window and without a past; nothing of it is left when it is closed. */
export async function launchChromium(executablePath) {
  const profile = mkdtempSync(join(tmpdir(), 'pgq-chromium-'))
  const isRoot = process.getuid?.() === 0
  const browser = await chromium.launch({
    executablePath,
    env: { ...process.env, HOME: profile },
    args: [...QUIET, ...(isRoot ? ['--no-sandbox'] : [])],
  })
  browser.once('disconnected', () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  return browser
}
