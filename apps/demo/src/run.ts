import { once } from 'node:events'
import { createPgq } from '@pgq/core'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { Cleanup } from './cleanup.ts'
import { Crash } from './crash.ts'
import { serveDashboard } from './dashboard.ts'
import { openDatabase } from './database.ts'
import { type DeadWebhook, readDeadWebhooks } from './dead-webhooks.ts'
import { Delivery } from './delivery.ts'
import { Endpoint } from './endpoint.ts'
import { openFlakyExchange } from './flaky-exchange.ts'
import { QUEUE_SCHEMA } from './payment-webhooks.ts'
import { readProgress } from './progress.ts'
import { readReport, type Report } from './report.ts'
import type { Screen } from './screen.ts'
import { createShop, dropEverything } from './shop.ts'
import { watch } from './watch.ts'
import { Mishap, webhookApi } from './webhook-api.ts'
import { readWebhooks } from './webhook-file.ts'
import { WorkerProcess } from './worker-process.ts'

/** What came out of a run. */
export interface Outcome extends Report {
  readonly webhooks: number
  readonly committed: number
  readonly rolledBack: number
  readonly deadWebhooks: readonly DeadWebhook[]
}

/** How long the queue waits for a sign of life of a worker: much shorter than usual, so that the rescue can be watched. */
const LEASE_MS = 2_000
/** Every so many webhooks one has its transaction rolled back on purpose. */
const MISHAP_EVERY = 40

/** How a run goes. */
export interface Run {
  readonly screen: Screen
  readonly signal: AbortSignal
  /** Whether the dashboard is served. */
  readonly serve: boolean
  /** Told of the outcome, while everything is still there. */
  readonly onOver: (outcome: Outcome) => void
}

/**
 * Runs the demo from the empty database to the report, and leaves nothing behind. Rejects when `signal` aborts; with the dashboard it only
 * ends then, once the story is over.
 */
export async function runDemo(run: Run): Promise<Outcome> {
  const { screen, signal, serve, onOver } = run
  const cleanup = new Cleanup()
  try {
    const outcome = await play(run, cleanup)
    onOver(outcome)
    if (serve) await untilAborted(screen, signal)
    return outcome
  } finally {
    screen.endProgress()
    await cleanup.run()
  }
}

async function untilAborted(screen: Screen, signal: AbortSignal): Promise<void> {
  screen.say('\nThe dashboard stays open until you press Ctrl-C.')
  if (!signal.aborted) await once(signal, 'abort')
}

async function play({ screen, signal, serve }: Run, cleanup: Cleanup): Promise<Outcome> {
  const webhooks = readWebhooks()

  const database = await openDatabase()
  cleanup.add(() => database.stop())
  const pool = new pg.Pool({ connectionString: database.url, application_name: 'pgq demo', max: 12 })
  cleanup.add(() => pool.end())
  const pgq = createPgq({ pool, schema: QUEUE_SCHEMA })
  cleanup.add(() => pgq.close())
  await dropEverything(pool)
  cleanup.add(() => dropEverything(pool))
  await createShop(pool)
  await pgq.migrate()
  screen.say(`The database is ${database.description}.`)
  if (serve) {
    screen.say(`The dashboard is at ${await serveDashboard(pgq, cleanup)}`, 'good')
    screen.say(
      `On the command line: pgq status --schema ${QUEUE_SCHEMA}${database.ours ? ` --url ${database.url}` : ''}`,
    )
  }

  const exchange = await openFlakyExchange()
  cleanup.add(() => exchange.close())
  const startWorker = async (name: string): Promise<WorkerProcess> => {
    const settings = { databaseUrl: database.url, exchangeUrl: exchange.url, leaseMs: LEASE_MS }
    const worker = new WorkerProcess({ name, ...settings })
    cleanup.add(() => worker.stop())
    await worker.ready
    return worker
  }
  // One after the other: the first one then leads, and the second has to take that over as well.
  const first = await startWorker('Worker 1')
  const second = await startWorker('Worker 2')
  signal.throwIfAborted()
  screen.say(`Worker 1 is process ${first.pid}, worker 2 is process ${second.pid}. The webhooks come in.\n`)

  const unlucky = new Set(webhooks.filter((_, index) => (index + 1) % MISHAP_EVERY === 0).map(({ id }) => id))
  const beforeCommit = (id: string): void => {
    if (unlucky.has(id)) throw new Mishap('rolled back on purpose')
  }
  const endpoint = await Endpoint.open(webhookApi({ pgq, db: drizzle({ client: pool }), beforeCommit }))
  cleanup.add(() => endpoint.close())

  const delivery = new Delivery(endpoint.url, webhooks)
  const crash = new Crash(first, pool)
  const over = new AbortController()
  const stop = AbortSignal.any([signal, over.signal])
  const read = () => readProgress(pgq, webhooks.length, delivery)
  const work = [delivery.run(stop), watch({ read, crash, screen, signal: stop })]
  try {
    await Promise.race([Promise.all(work), first.crashed, second.crashed])
  } finally {
    over.abort()
    await Promise.allSettled(work)
  }
  signal.throwIfAborted()
  screen.endProgress()

  const { committed, rolledBack } = delivery
  const [report, deadWebhooks] = [await readReport(pool), await readDeadWebhooks(pool)]
  return { ...report, webhooks: webhooks.length, committed, rolledBack, deadWebhooks }
}
