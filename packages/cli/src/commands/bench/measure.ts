import { defineQueue, handle, type Pgq, type } from '@pgq/core'
import type { Screen } from '../../terminal/screen.ts'

/** How to measure. */
export interface BenchOptions {
  readonly jobs: number
  readonly concurrency: number
  /** Ends it early; the schema is dropped all the same. */
  readonly signal: AbortSignal
}

/** The median and the 99th percentile, in ms. */
interface Times {
  readonly p50: number
  readonly p99: number
}

/** What was measured: jobs a second, and times. */
export interface BenchResult {
  readonly jobs: number
  readonly enqueue: number
  readonly process: number
  readonly single: Times
  readonly pickUp: Times
}

/** How many jobs one `enqueueMany` writes. */
const BATCH = 1_000
/** How many jobs are enqueued one by one, and the first of them that do not count. */
const SINGLES = 220
const WARM_UP = 20

const jobsQueue = defineQueue('bench', { payload: type<{ n: number }>() })
const singlesQueue = defineQueue('bench.single', { payload: type<{ n: number }>() })

/** Measures in the schema of `pgq`, which it creates and drops. Rejects when it is interrupted. */
export async function runBench(pgq: Pgq, screen: Screen, options: BenchOptions): Promise<BenchResult> {
  try {
    await screen.during('preparing', pgq.migrate())
    const enqueue = await measureEnqueue(pgq, screen, options)
    const process = await measureProcess(pgq, screen, options)
    const { single, pickUp } = await measureSingles(pgq, screen, options)
    return { jobs: options.jobs, enqueue, process, single, pickUp }
  } finally {
    await screen.during('dropping the schema', dropSchema(pgq))
  }
}

async function measureEnqueue(pgq: Pgq, screen: Screen, { jobs, signal }: BenchOptions): Promise<number> {
  const line = screen.progress('enqueue', jobs)
  const began = performance.now()
  for (let from = 0; from < jobs; from += BATCH) {
    signal.throwIfAborted()
    const size = Math.min(BATCH, jobs - from)
    await pgq.enqueueMany(
      jobsQueue,
      Array.from({ length: size }, (_, n) => ({ n: from + n })),
    )
    line.done = from + size
  }
  line.end()
  return perSecond(jobs, began)
}

async function measureProcess(pgq: Pgq, screen: Screen, options: BenchOptions): Promise<number> {
  const { jobs, concurrency, signal } = options
  const line = screen.progress('process', jobs)
  const worker = pgq.createWorker([handle(jobsQueue, () => {}, { concurrency })])
  try {
    return await new Promise<number>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      const began = performance.now()
      let done = 0
      pgq.events.on('job.completed', () => {
        line.done = ++done
        if (done === jobs) resolve(perSecond(jobs, began))
      })
      worker.start().catch(reject)
    })
  } finally {
    line.end()
    await worker.stop()
  }
}

/** One job at a time: how long the call takes, and how long until its handler begins. */
async function measureSingles(
  pgq: Pgq,
  screen: Screen,
  { signal }: BenchOptions,
): Promise<{ single: Times; pickUp: Times }> {
  const line = screen.progress('one by one', SINGLES)
  const begun = new Map<number, (at: number) => void>()
  const worker = pgq.createWorker([
    handle(singlesQueue, ({ payload }) => begun.get(payload.n)?.(performance.now())),
  ])
  const calls: number[] = []
  const pickUps: number[] = []
  try {
    await worker.start()
    for (let n = 0; n < SINGLES; n++) {
      signal.throwIfAborted()
      const began = performance.now()
      const picked = new Promise<number>((resolve) => begun.set(n, resolve))
      await pgq.enqueue(singlesQueue, { n })
      calls.push(performance.now() - began)
      pickUps.push((await picked) - began)
      line.done = n
    }
    return { single: times(calls.slice(WARM_UP)), pickUp: times(pickUps.slice(WARM_UP)) }
  } finally {
    line.end()
    await worker.stop()
  }
}

/** The one statement that this package has of its own: it names a schema that this process has made. */
async function dropSchema(pgq: Pgq): Promise<void> {
  if (!/^pgq_bench_[0-9a-f]{12}$/.test(pgq.schema)) throw new Error(`not a schema of a bench: ${pgq.schema}`)
  await pgq.transaction((tx) => tx.query(`DROP SCHEMA IF EXISTS ${pgq.schema} CASCADE`))
}

const perSecond = (jobs: number, began: number): number => (jobs * 1_000) / (performance.now() - began)

function times(values: readonly number[]): Times {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
