import type { Counts, SetUpSettings } from '../contestants/contestant.ts'
import { BenchFault } from '../fault.ts'
import { rosterEntry } from '../roster.ts'
import type { Meter } from '../servers/postgres-server.ts'
import type { BulkOptions } from '../tasks/inserts.ts'
import type { StintOptions, StintReport } from '../tasks/stint.ts'
import type { Measurement, Stage } from './scenario.ts'

/** The queue of all scenarios that need only one. */
export const QUEUE = 'bench'

/** Makes the tables and enqueues the jobs, in a process that then disconnects; returns what is there. */
export async function fillQueue(
  { entry, jobs, hire, store, isNewStore }: Stage,
  settings: SetUpSettings = {},
  bulks: Pick<BulkOptions, 'tenants' | 'keyed'> = {},
): Promise<Counts> {
  const producer = await hire('producer')
  await producer.open(store.url)
  if (isNewStore) await producer.do('setUp', { queues: [QUEUE], ...settings })
  await producer.do('insertBulks', { queue: QUEUE, jobs, ...rosterEntry(entry.contestant).bulk, ...bulks })
  const counts = await producer.do('counts', { queues: [QUEUE] })
  await producer.close()
  await store.settle()
  return counts
}

/** Has one worker process do all the jobs, and sees to it that it did. */
export async function workOff(
  stage: Stage,
  before: Counts,
  options: Partial<StintOptions> = {},
): Promise<Measurement> {
  const { hire, jobs, store } = stage
  const worker = await hire('worker')
  const read = await store.meter()
  await worker.open(store.url)
  const report = await worker.do('work', { queues: [QUEUE], jobs, ...options })
  await worker.close()
  const meter = await read()
  await checkStint(stage, before, report)
  return {
    value: jobs / ((report.endedMs - report.begunMs) / 1_000),
    figures: { ...costs(jobs, report.cpuMicros, meter), repeated: report.repeated },
  }
}

/** What a job costs. */
export function costs(jobs: number, cpuMicros: number, meter: Meter | undefined): Record<string, number> {
  return {
    cpuMicrosPerJob: cpuMicros / jobs,
    ...(meter && { walBytesPerJob: meter.walBytes / jobs }),
    ...(meter?.statements !== undefined && { statementsPer1000Jobs: (1_000 * meter.statements) / jobs }),
  }
}

/** What the tables must say after the work, compared with before. */
export interface Expected {
  readonly live: number
  readonly failed: number
  readonly completed: number
}

/**
 * Sees to it that all the jobs were handled, and that the tables say so.
 * @throws BenchFault
 */
export async function checkStint(
  stage: Stage,
  before: Counts,
  report: Pick<StintReport, 'handled'>,
  failed = 0,
): Promise<void> {
  const { entry, jobs } = stage
  if (report.handled !== undefined && report.handled !== jobs)
    throw new BenchFault(`${entry.label} handled ${report.handled} of ${jobs} jobs`)
  await checkCounts(stage, before, { live: -jobs, failed, completed: jobs - failed })
}

/**
 * Compares the tables with what they should hold.
 * @throws BenchFault
 */
export async function checkCounts(
  { entry, hire, store }: Stage,
  before: Counts,
  expected: Expected,
  queues: readonly string[] = [QUEUE],
): Promise<void> {
  const auditor = await hire('producer')
  await auditor.open(store.url)
  const after = await auditor.do('counts', { queues })
  await auditor.close()
  const changes = {
    live: after.live - before.live,
    failed: after.failed - before.failed,
    completed: after.completed === undefined ? expected.completed : after.completed - (before.completed ?? 0),
  }
  const { live, failed, completed } = expected
  if (changes.live === live && changes.failed === failed && changes.completed === completed) return
  throw new BenchFault(
    `${entry.label} did not do what it was asked to: its tables changed by ${JSON.stringify(changes)} instead of ${JSON.stringify(expected)}`,
  )
}

/** What is in tables that were just made. */
export const NOTHING: Counts = { added: 0, live: 0, failed: 0, completed: 0 }
