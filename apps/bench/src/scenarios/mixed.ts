import { jobCounts, peers, type Scenario } from './scenario.ts'
import { checkCounts, costs, NOTHING } from './turns.ts'
import { BenchFault } from '../fault.ts'

const QUEUES = Array.from({ length: 20 }, (_, number) => `bench-${number}`)
const PRIORITIES = 5
const FAIL_EVERY = 100
const BULK = { size: 50, inFlight: 4 }

/** Something like an application. */
export const mixedScenario: Scenario = {
  name: 'mixed',
  unit: 'jobs/s',
  better: 'higher',
  about: `${QUEUES.length} queues, ${PRIORITIES} priorities, payloads of 100 B to 10 KB, 1% of the jobs fail for good; enqueued in bulks of ${BULK.size} and processed at once by one process.`,
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    ...peers(['bullmq-redis', 'bullmq-postgres', 'graphile-worker', 'pg-boss']),
  ],
  jobs: jobCounts(50_000, { 'bullmq-postgres': 10_000 }),
  async turn(stage) {
    const { entry, jobs, hire, store } = stage
    const both = await hire('worker')
    await both.open(store.url)
    await both.do('setUp', { queues: QUEUES })
    await store.settle()
    const read = await store.meter()
    const report = await both.do('mix', {
      queues: QUEUES,
      jobs,
      priorities: PRIORITIES,
      failEvery: FAIL_EVERY,
      bulk: BULK,
    })
    await both.close()
    const meter = await read()
    if (report.handled !== jobs)
      throw new BenchFault(`${entry.label} handled ${report.handled} of ${jobs} jobs`)
    const failed = Math.ceil(jobs / FAIL_EVERY)
    await checkCounts(stage, NOTHING, { live: 0, failed, completed: jobs - failed }, QUEUES)
    return {
      value: jobs / report.seconds,
      figures: { ...costs(jobs, report.cpuMicros, meter), repeated: report.repeated },
    }
  },
}
