import type { BenchPayload, Contestant } from '../contestants/contestant.ts'
import { runEach } from './inserts.ts'
import { variedPayload } from './payloads.ts'
import { Stint, type StintReport } from './stint.ts'

/** Everything at once: many queues, priorities, sizes and failures, enqueued while they are processed. */
export interface MixOptions {
  readonly queues: readonly string[]
  readonly jobs: number
  readonly priorities: number
  readonly failEvery: number
  /** The jobs of one bulk insert, and how many of those are under way at once. */
  readonly bulk: { readonly size: number; readonly inFlight: number }
}

/** The stint of the worker, and for how long it all took, from the first enqueue to the last end of an attempt, in s. */
export interface MixReport extends StintReport {
  readonly seconds: number
}

interface MixedBulk {
  readonly queue: string
  readonly priority: number
  readonly payloads: readonly BenchPayload[]
}

/** Enqueues and processes in one process, as an API that works off its own jobs. */
export async function mix(contestant: Contestant, options: MixOptions): Promise<MixReport> {
  const { queues, jobs, failEvery, bulk } = options
  const bulks = mixedBulks(options)
  const stint = await Stint.start(contestant, { queues, jobs, failEvery })
  const started = performance.timeOrigin + performance.now()
  const enqueued = runEach(bulks, bulk.inFlight, ({ queue, priority, payloads }) =>
    contestant.enqueueMany(queue, payloads, { priority, once: true }),
  )
  await Promise.all([enqueued, stint.done()])
  const report = await stint.finish()
  return { ...report, seconds: (report.endedMs - started) / 1_000 }
}

function mixedBulks({ queues, jobs, priorities, bulk: { size } }: MixOptions): MixedBulk[] {
  return Array.from({ length: Math.ceil(jobs / size) }, (_, index) => ({
    queue: queues[index % queues.length] as string,
    priority: 1 + (Math.floor(index / queues.length) % priorities),
    payloads: Array.from({ length: Math.min(size, jobs - index * size) }, (_item, place) =>
      variedPayload(index * size + place),
    ),
  }))
}
