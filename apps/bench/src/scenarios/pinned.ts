import { jobCounts, peers, type Scenario } from './scenario.ts'
import { fillQueue, workOff } from './turns.ts'

/** A database whose dead rows can't be vacuumed away. */
export const pinnedScenario: Scenario = {
  name: 'pinned',
  unit: 'jobs/s',
  better: 'higher',
  about: 'As `process`, while a transaction holds a snapshot open that is as old as the backlog.',
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours', variant: 'pinned' },
    { label: 'unpinned', contestant: 'pgq', role: 'baseline' },
    ...peers(['bullmq-postgres', 'graphile-worker', 'pg-boss'], { variant: 'pinned' }),
  ],
  jobs: jobCounts(600_000, { 'bullmq-postgres': 30_000 }),
  async turn(stage) {
    const before = await fillQueue(stage)
    const release = stage.entry.variant === 'pinned' ? await stage.database?.holdSnapshot() : undefined
    const measurement = await workOff(stage, before)
    await release?.()
    return measurement
  },
}
