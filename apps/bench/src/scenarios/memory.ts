import { BenchFault } from '../fault.ts'
import { jobCounts, peers, type Scenario } from './scenario.ts'
import { checkStint, fillQueue, QUEUE } from './turns.ts'

const HANDLERS = 500
const HANDLER_MS = 10

/** What many handlers and a backlog need. */
export const memoryScenario: Scenario = {
  name: 'memory',
  unit: 'MB',
  better: 'lower',
  about: `The highest resident memory of a fresh worker process with ${HANDLERS} handlers of ${HANDLER_MS} ms at once, until a backlog is done.`,
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    ...peers(['bullmq-redis', 'bullmq-postgres', 'graphile-worker', 'pg-boss-work']),
  ],
  jobs: jobCounts(100_000, { 'bullmq-postgres': 20_000 }),
  async turn(stage) {
    const { entry, jobs, hire, store } = stage
    const before = await fillQueue(stage)
    const worker = await hire('worker', { fresh: true })
    await worker.open(store.url)
    const report = await worker.do('hold', { queue: QUEUE, jobs, handlers: HANDLERS, handlerMs: HANDLER_MS })
    await worker.close()
    await checkStint(stage, before, report)
    if (report.atOnce < Math.min(HANDLERS, jobs))
      throw new BenchFault(`${entry.label} ran ${report.atOnce} handlers at once, not ${HANDLERS}`)
    const { connections, atOnce } = report
    return {
      value: report.rss / 2 ** 20,
      figures: {
        connections,
        handlersAtOnce: atOnce,
        jobsPerSecond: (1_000 * jobs) / (report.endedMs - report.begunMs),
      },
    }
  },
}
