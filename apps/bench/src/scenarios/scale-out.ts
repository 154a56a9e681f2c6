import type { ContestantProcess } from '../process/contestant-process.ts'
import { jobCounts, peers, type Scenario } from './scenario.ts'
import { checkStint, costs, fillQueue, QUEUE } from './turns.ts'

const MOST_PROCESSES = 4
/** How often the workers are asked how far they are, in ms. */
const LOOK_EVERY_MS = 10
/** When nothing happens for so long, nothing will, in ms. */
const STUCK_MS = 60_000

/** More worker processes on one database. */
export const scaleOutScenario: Scenario = {
  name: 'scale-out',
  unit: 'jobs/s',
  better: 'higher',
  about: `As \`process\`, with ${MOST_PROCESSES} worker processes on one backlog; the baselines are pgq with as many as they are called.`,
  entries: [
    { label: 'pgq', contestant: 'pgq', role: 'ours', processes: MOST_PROCESSES },
    { label: '1', contestant: 'pgq', role: 'baseline', processes: 1 },
    { label: '2', contestant: 'pgq', role: 'baseline', processes: 2 },
    ...peers(['bullmq-redis', 'bullmq-postgres', 'graphile-worker', 'pg-boss'], {
      processes: MOST_PROCESSES,
    }),
  ],
  ownBaseline: `${MOST_PROCESSES}`,
  jobs: jobCounts(200_000, { 'bullmq-redis': 100_000, 'bullmq-postgres': 20_000 }),
  async turn(stage) {
    const { entry, jobs, store, database, hire } = stage
    const before = await fillQueue(stage)
    const workers: ContestantProcess[] = []
    for (let number = 1; number <= (entry.processes ?? 1); number++)
      workers.push(await hire(`worker ${number}`))
    const [read, readLocks] = [await store.meter(), await database?.watchLocks()]
    await Promise.all(workers.map((worker) => worker.open(store.url)))
    await Promise.all(workers.map((worker) => worker.do('startWork', { queues: [QUEUE], jobs })))
    await allDone(workers, jobs)
    const reports = await Promise.all(workers.map((worker) => worker.do('finishWork', {})))
    await Promise.all(workers.map((worker) => worker.close()))
    const [meter, locks] = [await read(), await readLocks?.()]
    const sum = (of: (report: (typeof reports)[number]) => number): number =>
      reports.reduce((total, report) => total + of(report), 0)
    const repeated = sum((report) => report.repeated)
    const handled = sum((report) => report.handled ?? 0)
    await checkStint(stage, before, { handled })
    const seconds =
      (Math.max(...reports.map((report) => report.endedMs)) -
        Math.min(...reports.filter(({ ended }) => ended > 0).map((report) => report.begunMs))) /
      1_000
    return {
      value: jobs / seconds,
      figures: {
        ...costs(
          jobs,
          sum((report) => report.cpuMicros),
          meter,
        ),
        repeated,
        ...(locks && { lockWaits: locks.waits, looks: locks.looks, deadlocks: locks.deadlocks }),
      },
    }
  },
}

/** Resolves when the workers together have ended as many attempts as there are jobs. */
async function allDone(workers: readonly ContestantProcess[], jobs: number): Promise<void> {
  let [before, lastMs] = [-1, performance.now()]
  for (;;) {
    const ended = await Promise.all(workers.map((worker) => worker.do('progress', {})))
    const total = ended.reduce((sum, count) => sum + count, 0)
    if (total >= jobs) return
    if (total !== before) [before, lastMs] = [total, performance.now()]
    else if (performance.now() - lastMs > STUCK_MS)
      throw new Error(`${total} of ${jobs} jobs are done, and no more`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}
