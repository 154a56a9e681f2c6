import type { Contestant, EnqueueSettings } from '../contestants/contestant.ts'
import { bulksOf, smallPayload } from './payloads.ts'

/** A bulk insert. */
export interface BulkOptions {
  readonly queue: string
  readonly jobs: number
  /** How many jobs go into one call, and how many calls are under way at a time. */
  readonly size: number
  readonly inFlight: number
  /** Each call is for one of so many tenants, in turns. @default nobody's */
  readonly tenants?: number
  /** Gives each job a key of its own. @default none has one */
  readonly keyed?: boolean
}

/** How inserts went. */
export interface InsertReport {
  readonly seconds: number
  readonly cpuMicros: number
}

/** Inserts jobs in bulks; the payloads are made before the clock starts. */
export async function insertBulks(
  contestant: Contestant,
  { queue, jobs, size, inFlight, tenants, keyed }: BulkOptions,
): Promise<InsertReport> {
  const bulks = bulksOf(jobs, size)
  let call = 0
  const settings = (): EnqueueSettings => ({
    ...(tenants !== undefined && { tenant: `tenant-${call++ % tenants}` }),
    ...(keyed === true && { keyed }),
  })
  return timed(() => runEach(bulks, inFlight, (bulk) => contestant.enqueueMany(queue, bulk, settings())))
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
