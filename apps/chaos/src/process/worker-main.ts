// A worker in a process of its own. It works until it is killed or asked to stop, and writes down what it does and is told.
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { loadCore } from '../core.ts'
import { makeHandlers } from '../work/handlers.ts'
import { defineQueues, defineSchedules } from '../work/queues.ts'
import { openClient } from './client.ts'
import { recordEvents } from './record-events.ts'

const { options, log, say } = openClient(() => {})
const core = await loadCore(options.core)
const pgq = core.createPgq({ connectionString: options.url })
recordEvents(pgq.events, log)

const pool = new pg.Pool({
  connectionString: options.url,
  max: 2,
  allowExitOnIdle: true,
  query_timeout: 5_000,
})
pool.on('error', () => {})

const queues = defineQueues(core)
const worker = pgq.createWorker(makeHandlers({ core, queues, log, pool }), {
  schedules: defineSchedules(core, queues),
  name: options.name,
  lease: options.leaseMs,
  pollInterval: '250ms',
  shutdownTimeout: '2s',
  signals: true,
})
await start()
say('ready')

/** The database may be away at this moment. A stop that comes meanwhile ends it. */
async function start(): Promise<void> {
  let stopped = false
  process.once('SIGTERM', () => (stopped = true))
  for (;;) {
    try {
      return await worker.start()
    } catch (error) {
      log.write({ op: 'trouble', where: 'starting', message: String(error) })
      if (stopped) return
      await sleep(100)
    }
  }
}
