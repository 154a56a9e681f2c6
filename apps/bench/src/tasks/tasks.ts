import type { Ballast, Contestant, Counts, SetUpSettings } from '../contestants/contestant.ts'
import { type BulkOptions, insertBulks, type InsertReport, insertSingles } from './inserts.ts'
import { type FairnessOptions, type FairnessReport, measureFairness } from './fairness.ts'
import { type LatencyOptions, type LatencyReport, measureLatency } from './latency.ts'
import { type MixOptions, type MixReport, mix } from './mix.ts'
import { hold, type HoldOptions, type HoldReport } from './hold.ts'
import { Stint, type StintOptions, type StintReport } from './stint.ts'

/** What a contestant's process can be told to do. */
export interface Tasks {
  setUp(options: { readonly queues: readonly string[] } & SetUpSettings): Promise<void>
  addBallast(options: { readonly queue: string } & Ballast): Promise<void>
  insertBulks(options: BulkOptions): Promise<InsertReport>
  insertSingles(options: {
    readonly queue: string
    readonly jobs: number
    readonly inFlight: number
  }): Promise<InsertReport>
  /** Works until all jobs are done. */
  work(options: StintOptions): Promise<StintReport>
  /** Starts to work beside others … */
  startWork(options: StintOptions): Promise<void>
  /** … tells how many attempts have ended … */
  progress(options: Record<string, never>): Promise<number>
  /** … and stops. */
  finishWork(options: Record<string, never>): Promise<StintReport>
  latency(options: LatencyOptions): Promise<LatencyReport>
  mix(options: MixOptions): Promise<MixReport>
  hold(options: HoldOptions): Promise<HoldReport>
  fairness(options: FairnessOptions): Promise<FairnessReport>
  counts(options: { readonly queues: readonly string[] }): Promise<Counts>
}

/** The tasks, for one contestant. */
export function tasksFor(contestant: Contestant): Tasks {
  let stint: Stint | undefined
  const current = (): Stint => {
    if (!stint) throw new Error('no work was started')
    return stint
  }
  return {
    setUp: async ({ queues, ...settings }) => contestant.setUp(queues, settings),
    addBallast: async ({ queue, ...ballast }) => void (await contestant.addBallast(queue, ballast)),
    insertBulks: (options) => insertBulks(contestant, options),
    insertSingles: (options) => insertSingles(contestant, options),
    async work(options) {
      const whole = await Stint.start(contestant, options)
      await whole.done()
      return whole.finish()
    },
    async startWork(options) {
      stint = await Stint.start(contestant, options)
    },
    progress: async () => current().ended,
    finishWork: () => current().finish(),
    latency: (options) => measureLatency(contestant, options),
    mix: (options) => mix(contestant, options),
    hold: (options) => hold(contestant, options),
    fairness: (options) => measureFairness(contestant, options),
    counts: async ({ queues }) => contestant.counts(queues),
  }
}
