import { jobCounts, type Scenario } from './scenario.ts'
import { fillQueue, workOff } from './turns.ts'

/** More than a worker ever holds. */
const ABOVE_CAPACITY = 10_000

/** What it costs to have a limit that is never reached. */
export const limitsScenario: Scenario = {
  name: 'limits',
  unit: 'jobs/s',
  better: 'higher',
  about: `As \`process\`, on a queue of which ${ABOVE_CAPACITY} jobs may run at once over all workers.`,
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours', variant: 'a limit above capacity' },
    { label: 'unlimited', contestant: 'pgq', role: 'baseline' },
  ],
  jobs: jobCounts(200_000),
  async turn(stage) {
    const limit = stage.entry.role === 'ours' ? { limit: ABOVE_CAPACITY } : {}
    return workOff(stage, await fillQueue(stage, limit))
  },
}
