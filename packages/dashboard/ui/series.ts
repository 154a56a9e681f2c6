import type { WirePeriod, WirePeriods } from '../src/wire.ts'

/** What happened in one period, all queues together or one of them. */
export interface Point {
  readonly at: number
  readonly completed: number
  /** Attempts that failed: those that are run again and the last ones. */
  readonly failed: number
  readonly ended: number
  readonly waitedMs: number
  readonly ranMs: number
}

/** One point for each period of the range, those without anything too. */
export function pointsOf({ now, sinceMs, periodMs, periods }: WirePeriods, queue?: string): Point[] {
  const first = Math.ceil((now - sinceMs) / periodMs) * periodMs
  const length = Math.max(1, Math.floor((now - first) / periodMs) + 1)
  const points = Array.from({ length }, (_, index) => ({
    at: first + index * periodMs,
    completed: 0,
    failed: 0,
    ended: 0,
    waitedMs: 0,
    ranMs: 0,
  }))
  for (const period of periods) {
    const point = points[Math.round((period.startsAt - first) / periodMs)]
    if (point && (queue === undefined || period.queue === queue)) add(point, period)
  }
  return points
}

function add(point: { -readonly [Name in keyof Point]: Point[Name] }, period: WirePeriod): void {
  point.completed += period.completed
  point.failed += period.failed + period.dead
  point.ended += period.completed + period.failed + period.dead + period.cancelled
  point.waitedMs += period.waitedMs
  point.ranMs += period.ranMs
}

/** All of it together. */
export function totalOf(points: readonly Point[]): Omit<Point, 'at'> {
  const total = { completed: 0, failed: 0, ended: 0, waitedMs: 0, ranMs: 0 }
  for (const point of points)
    for (const name of ['completed', 'failed', 'ended', 'waitedMs', 'ranMs'] as const) total[name] += point[name]
  return total
}
