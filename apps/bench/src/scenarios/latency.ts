import { jobCounts, peers, type Scenario } from './scenario.ts'
import { checkCounts, NOTHING, QUEUE } from './turns.ts'

/** The pause between two jobs, in ms. */
const PAUSE_MS: readonly [number, number] = [10, 30]

/** How fast a job is picked up. */
export const latencyScenario: Scenario = {
  name: 'latency',
  unit: 'ms',
  better: 'lower',
  about: `The median from the call of the enqueue to the handler, one job at a time after a pause of ${PAUSE_MS.join(' to ')} ms.`,
  // A bare loop has nothing that wakes it up, so pg-boss takes part with its own workers, which are notified.
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    ...peers(['bullmq-redis', 'bullmq-postgres', 'graphile-worker', 'pg-boss-work']),
  ],
  jobs: jobCounts(300),
  async turn(stage) {
    const { jobs, hire, store } = stage
    const both = await hire('worker')
    await both.open(store.url)
    await both.do('setUp', { queues: [QUEUE] })
    await store.settle()
    const { p50, jobs: all, ...figures } = await both.do('latency', { queue: QUEUE, jobs, pauseMs: PAUSE_MS })
    await both.close()
    await checkCounts(stage, NOTHING, { live: 0, failed: 0, completed: all })
    return { value: p50, figures }
  },
}
