import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestant } from '../contestants/contestant.ts'
import { percentile } from '../statistics.ts'
import { smallPayload } from './payloads.ts'

/** One job at a time, on a queue that is idle before each. */
export interface LatencyOptions {
  readonly queue: string
  /** How many are measured; a tenth of them more come first and don't count. */
  readonly jobs: number
  /** The shortest and the longest pause between two jobs, in ms; which one it is depends on chance. */
  readonly pauseMs: readonly [number, number]
}

/** In ms. */
export interface LatencyReport {
  /** From the call of the enqueue to the call of the handler. */
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly slowest: number
  /** The part of it that the enqueue took, until its promise resolved; a handler may begin before that. */
  readonly enqueueP50: number
  /** What is left: from the moment the enqueue resolved, the job being durable as far as the contestant makes it so, to the handler. */
  readonly pickUpP50: number
  /** All that were enqueued. */
  readonly jobs: number
}

/** How long a job may take to be picked up, in ms. */
const PATIENCE_MS = 30_000

/** Measures how long jobs take from the call that enqueues them to their handler, in one process with one clock. */
export async function measureLatency(
  contestant: Contestant,
  { queue, jobs, pauseMs: [shortest, longest] }: LatencyOptions,
): Promise<LatencyReport> {
  const warmUps = Math.ceil(jobs / 10)
  let [begun, ended] = [() => {}, () => {}]
  const stop = await contestant.startWorker({
    queues: [queue],
    handle: () => begun(),
    onEnded: () => ended(),
    onBegun: () => {},
  })
  const [whole, enqueues, pickUps]: [number[], number[], number[]] = [[], [], []]
  for (let n = 0; n < warmUps + jobs; n++) {
    await sleep(shortest + Math.random() * (longest - shortest))
    const end = new Promise<void>((resolve) => (ended = resolve))
    const calledMs = performance.now()
    const begin = new Promise<number>((resolve) => (begun = () => resolve(performance.now())))
    await contestant.enqueue(queue, smallPayload(n))
    const enqueuedMs = performance.now()
    const begunMs = await within(PATIENCE_MS, begin, `job ${n} was not picked up`)
    await within(PATIENCE_MS, end, `job ${n} was not completed`)
    if (n < warmUps) continue
    whole.push(begunMs - calledMs)
    enqueues.push(enqueuedMs - calledMs)
    pickUps.push(begunMs - enqueuedMs)
  }
  await stop()
  return {
    p50: percentile(whole, 50),
    p95: percentile(whole, 95),
    p99: percentile(whole, 99),
    slowest: percentile(whole, 100),
    enqueueP50: percentile(enqueues, 50),
    pickUpP50: percentile(pickUps, 50),
    jobs: warmUps + jobs,
  }
}

async function within<T>(ms: number, promise: Promise<T>, complaint: string): Promise<T> {
  const over = new AbortController()
  const tooLate = sleep(ms, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${complaint} within ${ms} ms`)
  })
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    tooLate.catch(() => {})
    over.abort()
  }
}
