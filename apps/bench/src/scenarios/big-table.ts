import type { ContestantName } from '../roster.ts'
import { jobCounts, peers, type Scenario, type Stage } from './scenario.ts'
import { fillQueue, QUEUE, workOff } from './turns.ts'

const COMPLETED = 10_000_000
const DELAYED = 1_000_000
/** The others delete what is done, so there is nothing to lie beside. */
const KEEPS_HISTORY: readonly ContestantName[] = ['pgq', 'pg-boss']

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
    const ballast = ballastOf(stage)
    const isToBeFilled = stage.isNewStore && stage.entry.variant === 'big'
    if (isToBeFilled) await addBallast(stage)
    const before = await fillQueue({ ...stage, isNewStore: stage.isNewStore && !isToBeFilled })
    const { value, figures } = await workOff(stage, before)
    return { value, figures: { ...figures, ...ballast } }
  },
}

/** How many jobs lie beside those that are measured. */
function ballastOf({ entry: { contestant, variant }, scale }: Stage): { completed: number; delayed: number } {
  if (variant !== 'big') return { completed: 0, delayed: 0 }
  const completed = KEEPS_HISTORY.includes(contestant) ? Math.round(COMPLETED * scale) : 0
  return { completed, delayed: Math.round(DELAYED * scale) }
}

async function addBallast(stage: Stage): Promise<void> {
  const producer = await stage.hire('producer')
  await producer.open(stage.store.url)
  await producer.do('setUp', { queues: [QUEUE] })
  await producer.do('addBallast', { queue: QUEUE, ...ballastOf(stage) })
  await producer.close()
}
