import type { WireHistory, WirePoint } from '../src/wire.ts'

/** When the periods of a history began, in ms. */
export const timesOf = ({ startsAt, periodMs, points }: WireHistory): number[] =>
  points.map((_, index) => startsAt + index * periodMs)

/** All of it together. */
export function totalOf(points: readonly WirePoint[]): WirePoint {
  const sum = (name: keyof WirePoint): number => points.reduce((total, point) => total + point[name], 0)
  return {
    completed: sum('completed'),
    failed: sum('failed'),
    ended: sum('ended'),
    waitedMs: sum('waitedMs'),
    ranMs: sum('ranMs'),
  }
}
