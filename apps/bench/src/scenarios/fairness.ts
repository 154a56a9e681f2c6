import { BenchFault } from '../fault.ts'
import { rosterEntry } from '../roster.ts'
import { jobCounts, peers, type Scenario } from './scenario.ts'
import { checkCounts, NOTHING, QUEUE } from './turns.ts'

const SMALL = 10
const HANDLERS = 10
const HANDLER_MS = 2

/** What a small tenant waits for behind a large one. */
export const fairnessScenario: Scenario = {
  name: 'fairness',
  unit: 'ms',
  better: 'lower',
  about: `The median wait of ${SMALL} jobs of one tenant, enqueued while another one's backlog is worked off by ${HANDLERS} handlers of ${HANDLER_MS} ms, from the enqueue to the handler.`,
  // The peers have no turns between groups: BullMQ's are in its paid edition, and pg-boss only limits what a group may run at once.
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    { label: 'one group', contestant: 'pgq', role: 'baseline', variant: 'all jobs in one group' },
    ...peers(['bullmq-redis', 'pg-boss-work']),
  ],
  jobs: jobCounts(20_000),
  async turn(stage) {
    const { entry, jobs, hire, store } = stage
    const both = await hire('worker')
    await both.open(store.url)
    await both.do('setUp', { queues: [QUEUE] })
    await store.settle()
    const report = await both.do('fairness', {
      queue: QUEUE,
      jobs,
      small: Math.min(SMALL, jobs - 1),
      handlers: HANDLERS,
      handlerMs: HANDLER_MS,
      tenants: entry.role !== 'baseline',
      bulk: rosterEntry(entry.contestant).bulk,
    })
    await both.close()
    const { p50, handled, ...figures } = report
    if (handled !== jobs) throw new BenchFault(`${entry.label} handled ${handled} of ${jobs} jobs`)
    await checkCounts(stage, NOTHING, { live: 0, failed: 0, completed: jobs })
    return { value: p50, figures }
  },
}
