// Takes the screenshots of the README from the real thing: a PostgreSQL of its own, workers that work, the dashboard that is built, Chromium.
// `node scripts/take-screenshots.mjs [folder] [--all]`: with `--all` those of more pages and of phones too, to look at. It says so when there is no Chromium, and takes none.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createPgq, defineQueue, handle, schedule } from '@pgq/core'
import { dashboardMiddleware } from '@pgq/dashboard/express'
import { startPostgres } from '@pgq/embedded-postgres'
import pg from 'pg'
import { findChromium, launchChromium } from './chromium.mjs'
import { writeHistory } from './example-data.mjs'

const folder = process.argv[2] ?? fileURLToPath(new URL('../screenshots', import.meta.url))
const DESKTOP = { width: 1160, height: 740 }
const PHONE = { width: 390, height: 780 }

const chromium = findChromium()
if (chromium === undefined) {
  console.log('There is no Chromium on this machine (apt-get install chromium): no screenshots were taken.')
  process.exit(0)
}
mkdirSync(folder, { recursive: true })
const postgres = await startPostgres()
const pgq = createPgq({ connectionString: postgres.url })
const pool = new pg.Pool({ connectionString: postgres.url })
await pgq.migrate()
const ids = await fill()
const dashboard = dashboardMiddleware(pgq, {
  authorize: () => ({ access: 'write', actor: 'ada' }),
  title: 'Shop jobs',
})
const server = createServer((req, res) => void dashboard(req, res)).listen(0, '127.0.0.1')
await once(server, 'listening')
const address = `http://127.0.0.1:${server.address().port}`
const browser = await launchChromium(chromium)
try {
  await take('queues', '', DESKTOP, 'light')
  await take('queue-dark', 'queue?name=payment.webhook', DESKTOP, 'dark')
  await take('jobs', 'jobs?status=dead&error=timedout', DESKTOP, 'light')
  await take('job', `jobs/${ids.dead}`, DESKTOP, 'light')
  await take('dead', 'dead', DESKTOP, 'light')
  await take('schedules', 'schedules', DESKTOP, 'dark')
  await take('phone', '', PHONE, 'light')
  if (process.argv.includes('--all')) {
    await take('workers', 'workers', DESKTOP, 'light')
    await take('job-waiting', `jobs/${ids.waiting}`, DESKTOP, 'dark')
    await take('jobs-phone', 'jobs', PHONE, 'dark')
    await take('job-phone', `jobs/${ids.dead}`, PHONE, 'light')
    await take('dead-phone', 'dead', PHONE, 'light')
    await take('workers-phone', 'workers', PHONE, 'dark')
    await take('schedules-phone', 'schedules', PHONE, 'light')
  }
} finally {
  await browser.close()
  server.closeAllConnections()
  server.close()
  await pgq.close()
  await pool.end()
  await postgres.stop()
}

async function take(name, path, viewport, colorScheme) {
  const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 1, reducedMotion: 'reduce' })
  await page.goto(`${address}/${path}`)
  await page.getByText('Live', { exact: true }).waitFor()
  await page.locator('tbody tr, .group, .step, .chart').first().waitFor()
  await page.waitForLoadState('load')
  await page.screenshot({ path: `${folder}/${name}.png` })
  await page.close()
  console.log(`${name}.png`)
}

/** A handler that has something in hand until its worker stops. */
function untilStopped(_job, { signal }) {
  return once(signal, 'abort')
}

/** History, a worker with something in hand, a backlog, and a queue that is paused. */
async function fill() {
  await writeHistory(pool, 'pgq')
  const webhooks = defineQueue('payment.webhook')
  const reports = defineQueue('report.daily')
  const newsletters = defineQueue('mail.newsletter')
  const worker = pgq.createWorker(
    [handle(webhooks, untilStopped, { concurrency: 20 }), handle(reports, untilStopped)],
    {
      name: 'shop-worker-1',
      schedules: [
        schedule(
          reports,
          { cron: '0 6 * * 1-5', timezone: 'Europe/Berlin' },
          { kind: 'daily' },
          { name: 'reports.daily' },
        ),
        schedule(webhooks, { every: '15m' }, { kind: 'sweep' }, { name: 'webhooks.sweep' }),
      ],
      shutdownTimeout: 0,
    },
  )
  await worker.start()
  await pgq.enqueueMany(
    webhooks,
    Array.from({ length: 14 }, (_, n) => ({ paymentId: `p_${61000 + n}` })),
  )
  await pgq.enqueueMany(
    newsletters,
    Array.from({ length: 180 }, (_, n) => ({ to: `reader${n}@example.com` })),
  )
  await pgq.enqueueMany(
    defineQueue('search.index'),
    Array.from({ length: 37 }, (_, n) => ({ product: n })),
    { delay: '10m' },
  )
  await pgq.pause('mail.newsletter', { reason: 'the provider is down' })
  const [dead] = (await pgq.list({ status: 'dead', queue: 'payment.webhook', limit: 1 })).jobs
  const [waiting] = (await pgq.list({ queue: 'mail.newsletter', status: 'pending', limit: 1 })).jobs
  return { dead: dead.id, waiting: waiting.id }
}
