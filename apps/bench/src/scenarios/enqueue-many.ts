import { rosterEntry } from '../roster.ts'
import { jobCounts, peers, type Scenario } from './scenario.ts'
import { checkCounts, costs, NOTHING, QUEUE } from './turns.ts'

/** Bulk inserts. */
export const enqueueManyScenario: Scenario = {
  name: 'enqueue-many',
  unit: 'jobs/s',
  better: 'higher',
  about:
    'Bulk inserts from one process, each contestant with the size of bulk that suits it best, until all are committed.',
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    ...peers(['bullmq-redis', 'bullmq-postgres', 'graphile-worker', 'pg-boss']),
  ],
  jobs: jobCounts(200_000, { 'bullmq-redis': 100_000, 'bullmq-postgres': 50_000 }),
  async turn(stage) {
    const { entry, jobs, hire, store } = stage
    const producer = await hire('producer')
    await producer.open(store.url)
    await producer.do('setUp', { queues: [QUEUE] })
    await store.settle()
    const read = await store.meter()
    const { seconds, cpuMicros } = await producer.do('insertBulks', {
      queue: QUEUE,
      jobs,
      ...rosterEntry(entry.contestant).bulk,
    })
    const meter = await read()
    await producer.close()
    await checkCounts(stage, NOTHING, { live: jobs, failed: 0, completed: 0 })
    return { value: jobs / seconds, figures: costs(jobs, cpuMicros, meter) }
  },
}
