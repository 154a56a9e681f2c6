import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestant } from '../contestants/contestant.ts'
import { percentile } from '../statistics.ts'
import { runEach } from './inserts.ts'
import { bulksOf, smallPayload } from './payloads.ts'

/** A small tenant behind a large one, in one queue. */
export interface FairnessOptions {
  readonly queue: string
  /** All jobs. The last `small` of them are the small tenant's, enqueued one after the other while the worker is busy with the rest. */
  readonly jobs: number
  readonly small: number
  readonly handlers: number
  /** How long each handler takes, in ms. */
  readonly handlerMs: number
  /** Whether the contestant is told whose jobs they are. */
  readonly tenants: boolean
  /** The jobs of one bulk insert, and how many of those are under way at once. */
  readonly bulk: { readonly size: number; readonly inFlight: number }
}

/** In ms, from the call of the enqueue to the handler. */
export interface FairnessReport {
  readonly p50: number
  readonly slowest: number
  /** How long the large tenant's jobs took in all, from the first handler to the last. */
  readonly wholeMs: number
  readonly handled: number
}

/** How long all of it may take, in ms. */
const PATIENCE_MS = 300_000

/** Measures how long the jobs of a small tenant wait behind the backlog of a large one. */
export async function measureFairness(
  contestant: Contestant,
  { queue, jobs, small, handlers, handlerMs, tenants, bulk }: FairnessOptions,
): Promise<FairnessReport> {
  const large = jobs - small
  await runEach(bulksOf(large, bulk.size), bulk.inFlight, (payloads) =>
    contestant.enqueueMany(queue, payloads, { tenant: 'large' }),
  )
  const begunMs = new Map<number, number>()
  let ended = 0
  const stop = await contestant.startWorker({
    queues: [queue],
    handlers,
    handle: async ({ n }) => {
      begunMs.set(n, performance.now())
      await sleep(handlerMs)
    },
    onEnded: () => ended++,
    onBegun: () => {},
  })
  const deadline = performance.now() + PATIENCE_MS
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) {
      if (performance.now() > deadline) throw new Error(`only ${ended} of ${jobs} jobs ended in time`)
      await sleep(1)
    }
  }
  await until(() => begunMs.size >= Math.min(handlers, large))
  const calledMs = new Map<number, number>()
  for (let n = large; n < jobs; n++) {
    calledMs.set(n, performance.now())
    await contestant.enqueue(queue, smallPayload(n), { tenant: tenants ? 'small' : 'large' })
  }
  await until(() => ended >= jobs)
  await stop()
  const waits = [...calledMs].map(([n, called]) => (begunMs.get(n) as number) - called)
  const begins = [...begunMs.values()]
  return {
    p50: percentile(waits, 50),
    slowest: percentile(waits, 100),
    wholeMs: begins.reduce((a, b) => Math.max(a, b)) - begins.reduce((a, b) => Math.min(a, b)),
    handled: begunMs.size,
  }
}
