import { jobCounts, peers, type Scenario, type Stage } from './scenario.ts'
import { fillQueue, QUEUE, workOff } from './turns.ts'

const COMPLETED = 10_000_000
const DELAYED = 1_000_000

/** A queue with a past and a future. */
export const bigTableScenario: Scenario = {
  name: 'big-table',
  unit: 'jobs/s',
  better: 'higher',
  about:
    'As `process`, beside 10 million completed jobs (where history is kept) and 1 million that are not due.',
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours', variant: 'big' },
    { label: 'empty', contestant: 'pgq', role: 'baseline' },
    ...peers(['bullmq-redis', 'graphile-worker', 'pg-boss'], { variant: 'big' }),
  ],
  jobs: jobCounts(200_000, { 'bullmq-redis': 100_000 }),
  keepsStores: true,
  async turn(stage) {
    if (!stage.isNewStore || stage.entry.variant !== 'big') return workOff(stage, await fillQueue(stage))
    await addBallast(stage)
    return workOff(stage, await fillQueue({ ...stage, isNewStore: false }))
  },
}

async function addBallast({ hire, store, scale }: Stage): Promise<void> {
  const producer = await hire('producer')
  await producer.open(store.url)
  await producer.do('setUp', { queues: [QUEUE] })
  await producer.do('addBallast', {
    queue: QUEUE,
    completed: Math.round(COMPLETED * scale),
    delayed: Math.round(DELAYED * scale),
  })
  await producer.close()
}
