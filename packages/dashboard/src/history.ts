import type { QueuePeriod } from '@pgq/core'
import type { WireHistory, WirePoint, WireQueueHistory } from './wire.ts'

/** Which time a history is of, in ms. */
interface Range {
  readonly now: number
  readonly sinceMs: number
  readonly periodMs: number
}

type Sums = { -readonly [Name in keyof WirePoint]: WirePoint[Name] }

const nothing = (): Sums => ({ completed: 0, failed: 0, ended: 0, waitedMs: 0, ranMs: 0 })

/** Adds up what queues did: one point for each period of the range, those without anything too, and of each queue what a line of a list shows. */
export function historyOf(periods: readonly QueuePeriod[], { now, sinceMs, periodMs }: Range): WireHistory {
  const startsAt = Math.ceil((now - sinceMs) / periodMs) * periodMs
  const length = Math.max(1, Math.floor((now - startsAt) / periodMs) + 1)
  const points = Array.from({ length }, nothing)
  const queues = new Map<string, { -readonly [Name in keyof WireQueueHistory]: WireQueueHistory[Name] }>()
  for (const period of periods) {
    const index = Math.round((period.startsAt.getTime() - startsAt) / periodMs)
    const point = points[index]
    if (!point) continue
    add(point, period)
    const queue = queues.get(period.queue) ?? {
      queue: period.queue,
      ended: 0,
      failed: 0,
      completed: Array.from({ length }, () => 0),
    }
    queue.ended += endedIn(period)
    queue.failed += period.failed + period.dead
    queue.completed[index] = period.completed
    queues.set(period.queue, queue)
  }
  return { startsAt, periodMs, points, queues: [...queues.values()] }
}

function add(point: Sums, period: QueuePeriod): void {
  point.completed += period.completed
  point.failed += period.failed + period.dead
  point.ended += endedIn(period)
  point.waitedMs += Math.round(period.waitedMs)
  point.ranMs += Math.round(period.ranMs)
}

const endedIn = ({ completed, failed, dead, cancelled }: QueuePeriod): number =>
  completed + failed + dead + cancelled
