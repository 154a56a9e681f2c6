import type { Contestant } from '../contestants/contestant.ts'
import { bulksOf, smallPayload } from './payloads.ts'

/** How inserts went. */
export interface InsertReport {
  readonly seconds: number
  readonly cpuMicros: number
}

/** Inserts jobs in bulks; the payloads are made before the clock starts. */
export async function insertBulks(
  contestant: Contestant,
  { queue, jobs, size, inFlight }: { queue: string; jobs: number; size: number; inFlight: number },
): Promise<InsertReport> {
  const bulks = bulksOf(jobs, size)
  return timed(() => runEach(bulks, inFlight, (bulk) => contestant.enqueueMany(queue, bulk)))
}

/** Inserts jobs by single calls, so many of them at a time. */
export async function insertSingles(
  contestant: Contestant,
  { queue, jobs, inFlight }: { queue: string; jobs: number; inFlight: number },
): Promise<InsertReport> {
  const payloads = Array.from({ length: jobs }, (_, n) => smallPayload(n))
  return timed(() => runEach(payloads, inFlight, (payload) => contestant.enqueue(queue, payload)))
}

/** Calls a function for each item, with so many calls under way at a time. */
export async function runEach<Item>(
  items: readonly Item[],
  inFlight: number,
  run: (item: Item) => Promise<unknown>,
): Promise<void> {
  const rest = items.values()
  const runSome = async (): Promise<void> => {
    for (const item of rest) await run(item)
  }
  await Promise.all(Array.from({ length: inFlight }, runSome))
}

async function timed(work: () => Promise<void>): Promise<InsertReport> {
  const [started, cpu] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - started) / 1_000, cpuMicros: user + system }
}
