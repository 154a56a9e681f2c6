import type { Job, JobsOptions, QueueOptions, WorkerOptions } from 'bullmq'
import { bulksOf } from '../tasks/payloads.ts'
import type { BenchPayload, Contestant, EnqueueSettings } from './contestant.ts'

/** How many delayed jobs go into one call. */
const BALLAST_BULK = 1_000

/** The part of BullMQ's Queue that is used: the same on both of its backends. */
export interface BullQueue {
  add(name: string, payload: BenchPayload, options?: JobsOptions): Promise<unknown>
  addBulk(jobs: { name: string; data: BenchPayload; opts?: JobsOptions }[]): Promise<unknown>
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** The part of its Worker that is used. */
interface BullWorker {
  run(): Promise<void>
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
  on(event: 'completed' | 'failed', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** What differs between its backends. */
export interface BullBackend {
  readonly worker: Pick<WorkerOptions, 'concurrency' | 'removeOnComplete'>
  openQueue(name: string, options: Omit<QueueOptions, 'connection'>): BullQueue
  openWorker(
    name: string,
    process: (job: Job<BenchPayload>) => Promise<void>,
    options: Omit<WorkerOptions, 'connection'>,
  ): BullWorker
}

/** BullMQ as its guides show it: one Queue and one Worker for each queue, jobs named like their queue. */
export function openBullmq(backend: BullBackend): Pick<
  Contestant,
  'enqueueMany' | 'enqueue' | 'addBallast' | 'startWorker' | 'close'
> & {
  queueOf(name: string): BullQueue
} {
  const queues = new Map<string, BullQueue>()
  const queueOf = (name: string): BullQueue => {
    const known = queues.get(name)
    if (known) return known
    const queue = backend.openQueue(name, {})
    queue.on('error', report)
    queues.set(name, queue)
    return queue
  }
  return {
    queueOf,
    enqueueMany: (queue, payloads, settings) => {
      const opts = jobOptions(settings)
      return queueOf(queue).addBulk(payloads.map((data) => ({ name: queue, data, opts })))
    },
    enqueue: (queue, payload) => queueOf(queue).add(queue, payload),
    // What is completed is removed. The bulks are those of its guide.
    async addBallast(queue, { delayed }) {
      for (const payloads of bulksOf(delayed, BALLAST_BULK)) {
        const opts = { delay: 86_400_000 }
        await queueOf(queue).addBulk(payloads.map((data) => ({ name: queue, data, opts })))
      }
    },
    async startWorker({ queues: names, handlers, handle, onEnded }) {
      const options = { ...backend.worker, ...(handlers !== undefined && { concurrency: handlers }) }
      const workers = names.map((name) => {
        const worker = backend.openWorker(name, async (job) => handle(job.data), options)
        worker.on('error', report)
        worker.on('completed', onEnded)
        worker.on('failed', onEnded)
        return worker
      })
      await Promise.all(workers.map((worker) => worker.waitUntilReady()))
      return () => Promise.all(workers.map((worker) => worker.close()))
    },
    close: async () => void (await Promise.all([...queues.values()].map((queue) => queue.close()))),
  }
}

/** BullMQ makes one attempt unless told otherwise, so a job that shall fail for good needs no option. */
function jobOptions({ priority }: EnqueueSettings = {}): JobsOptions {
  return priority === undefined ? {} : { priority }
}

function report(error: Error): void {
  console.error('BullMQ:', error)
}
