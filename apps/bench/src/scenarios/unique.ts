import { rosterEntry } from '../roster.ts'
import { jobCounts, type Scenario } from './scenario.ts'
import { QUEUE, workOff } from './turns.ts'

/** What it costs that each job has a key which no other may have while it lives. */
export const uniqueScenario: Scenario = {
  name: 'unique',
  unit: 'jobs/s',
  better: 'higher',
  about:
    'Bulk inserts of jobs that have a unique key each, and then the work, from the first insert to the last end.',
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours' },
    { label: 'without keys', contestant: 'pgq', role: 'baseline' },
  ],
  jobs: jobCounts(100_000),
  async turn(stage) {
    const { entry, jobs, hire, store } = stage
    const producer = await hire('producer')
    await producer.open(store.url)
    await producer.do('setUp', { queues: [QUEUE] })
    const keyed = entry.role === 'ours'
    const inserted = await producer.do('insertBulks', {
      queue: QUEUE,
      jobs,
      keyed,
      ...rosterEntry(entry.contestant).bulk,
    })
    const before = await producer.do('counts', { queues: [QUEUE] })
    await producer.close()
    await store.settle()
    const worked = await workOff(stage, before)
    const seconds = inserted.seconds + jobs / worked.value
    return {
      value: jobs / seconds,
      figures: {
        ...worked.figures,
        insertedPerSecond: jobs / inserted.seconds,
        workedPerSecond: worked.value,
      },
    }
  },
}
