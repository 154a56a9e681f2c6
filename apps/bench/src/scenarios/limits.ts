import type { SetUpSettings } from '../contestants/contestant.ts'
import { jobCounts, type Scenario } from './scenario.ts'
import { fillQueue, workOff } from './turns.ts'

/** More than a worker ever holds, and more than it does in a second. */
const ABOVE_CAPACITY = 10_000
const RATE_ABOVE_CAPACITY = 1_000_000
const TENANTS = 40

const SETTINGS: Readonly<Record<string, SetUpSettings>> = {
  pgq: { limit: ABOVE_CAPACITY },
  rate: { rate: RATE_ABOVE_CAPACITY },
  'limit per group': { limitPerTenant: ABOVE_CAPACITY },
}

/** What it costs to have a limit that is never reached. */
export const limitsScenario: Scenario = {
  name: 'limits',
  unit: 'jobs/s',
  better: 'higher',
  about: `As \`process\`, on a queue of which ${ABOVE_CAPACITY} jobs may run at once over all workers.`,
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours', variant: 'a limit above capacity' },
    { label: 'unlimited', contestant: 'pgq', role: 'baseline' },
    { label: 'rate', contestant: 'pgq', role: 'baseline', variant: 'a rate above capacity' },
    { label: 'groups', contestant: 'pgq', role: 'baseline', variant: `${TENANTS} groups in turns` },
    {
      label: 'limit per group',
      contestant: 'pgq',
      role: 'baseline',
      variant: `${TENANTS} groups with a limit each`,
    },
  ],
  jobs: jobCounts(200_000),
  async turn(stage) {
    const { label } = stage.entry
    const bulks = label.includes('group') ? { tenants: TENANTS } : {}
    return workOff(stage, await fillQueue(stage, SETTINGS[label], bulks))
  },
}
