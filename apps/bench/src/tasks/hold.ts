import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestant } from '../contestants/contestant.ts'
import { Stint, type StintReport } from './stint.ts'

/** Many handlers at once, and a backlog behind them. */
export interface HoldOptions {
  readonly queue: string
  readonly jobs: number
  readonly handlers: number
  /** How long each handler takes, once all of them have been seen at work together, in ms. */
  readonly handlerMs: number
}

/** What the process needed meanwhile. */
export interface HoldReport extends StintReport {
  /** The highest resident memory, in bytes. */
  readonly rss: number
  /** Connections to the store, while all handlers were at work. */
  readonly connections: number
  /** How many handlers were at work at once. */
  readonly atOnce: number
}

const LOOK_EVERY_MS = 20
/** How long it may take until all handlers are at work, in ms. */
const PATIENCE_MS = 60_000

/** Works off a backlog with many handlers, and watches what that needs. */
export async function hold(contestant: Contestant, options: HoldOptions): Promise<HoldReport> {
  const { queue, jobs, handlers, handlerMs } = options
  let [running, atOnce, rss] = [0, 0, 0]
  let open: (() => void) | undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  const handler = async (): Promise<void> => {
    atOnce = Math.max(atOnce, ++running)
    await gate
    await sleep(handlerMs)
    running--
  }
  const watch = setInterval(() => (rss = Math.max(rss, process.memoryUsage.rss())), LOOK_EVERY_MS)
  const stint = await Stint.start(contestant, { queues: [queue], jobs, handlers, handler })
  const deadline = performance.now() + PATIENCE_MS
  while (running < Math.min(handlers, jobs)) {
    if (performance.now() > deadline) throw new Error(`only ${running} of ${handlers} handlers came to work`)
    await sleep(LOOK_EVERY_MS)
  }
  const connections = await contestant.connections()
  open?.()
  await stint.done()
  clearInterval(watch)
  return { ...(await stint.finish()), rss, connections, atOnce }
}
