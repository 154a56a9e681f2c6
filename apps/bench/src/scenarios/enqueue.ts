import { jobCounts, peers, type Scenario } from './scenario.ts'
import { checkCounts, costs, NOTHING, QUEUE } from './turns.ts'

const IN_FLIGHT = 100

/** Single enqueues. */
export const enqueueScenario: Scenario = {
  name: 'enqueue',
  unit: 'jobs/s',
  better: 'higher',
  about: `Single enqueues from one process, ${IN_FLIGHT} at a time, each awaited until it is committed.`,
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    ...peers(['bullmq-redis', 'bullmq-postgres', 'graphile-worker', 'pg-boss']),
  ],
  jobs: jobCounts(50_000, { 'bullmq-postgres': 20_000, 'graphile-worker': 20_000, 'pg-boss': 20_000 }),
  async turn(stage) {
    const { jobs, hire, store } = stage
    const producer = await hire('producer')
    await producer.open(store.url)
    await producer.do('setUp', { queues: [QUEUE] })
    await store.settle()
    const read = await store.meter()
    const { seconds, cpuMicros } = await producer.do('insertSingles', {
      queue: QUEUE,
      jobs,
      inFlight: IN_FLIGHT,
    })
    const meter = await read()
    await producer.close()
    await checkCounts(stage, NOTHING, { live: jobs, failed: 0, completed: 0 })
    return { value: jobs / seconds, figures: costs(jobs, cpuMicros, meter) }
  },
}
