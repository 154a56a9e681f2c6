import { jobCounts, peers, type Scenario } from './scenario.ts'
import { fillQueue, workOff } from './turns.ts'

/** No-op jobs. */
export const processScenario: Scenario = {
  name: 'process',
  unit: 'jobs/s',
  better: 'higher',
  about: 'No-op jobs in one worker process, from the first handler to the completion of the last job.',
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    { label: 'floor', contestant: 'floor', role: 'baseline' },
    ...peers(),
  ],
  jobs: jobCounts(200_000, { 'bullmq-redis': 100_000, 'bullmq-postgres': 20_000 }),
  turn: async (stage) => workOff(stage, await fillQueue(stage)),
}
