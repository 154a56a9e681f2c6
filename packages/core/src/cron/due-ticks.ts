import type { NextTick } from './rule.ts'

/** What becomes of ticks that nobody was there for: dropped, the newest one run, or the newest so many. */
export type Missed = 'skip' | 'once' | { readonly fill: number }

/** How late a tick may be and still be on time, in ms: a change of the leader takes seconds and must cost no tick. */
const ON_TIME_MS = 60_000
/** The shortest stretch of time in which older ticks are looked for, in ms. */
const FIRST_SPAN_MS = 60_000

/** What a schedule has to do now. */
export interface Due {
  /** The ticks to run, oldest first. */
  readonly ticks: readonly number[]
  /** The oldest of the ticks that were dropped. */
  readonly droppedMs: number | undefined
  /** The tick after now; undefined when there is none. */
  readonly nextMs: number | undefined
}

/**
 * Decides what to do about the ticks since `firstMs`, which has not been run. Those up to a minute late run in any case; of those that are
 * later, or of the time before `resumedMs`, when the schedule was paused, `skip` runs none, `once` the newest unless one runs anyway, `fill`
 * the newest so many.
 */
export function dueTicks(
  next: NextTick,
  firstMs: number,
  nowMs: number,
  missed: Missed,
  resumedMs: number = Number.NEGATIVE_INFINITY,
): Due {
  const first = next(firstMs - 1)
  const nextMs = next(nowMs)
  if (first === undefined || first > nowMs) return { ticks: [], droppedMs: undefined, nextMs }
  const lateMs = Math.max(first, nowMs - ON_TIME_MS, Math.min(resumedMs, nowMs))
  const onTime = between(next, lateMs, nowMs)
  if (first >= lateMs) return { ticks: onTime, droppedMs: undefined, nextMs }
  const caughtUp = newest(next, first, lateMs - 1, catchUp(missed, onTime.length))
  const ticks = [...caughtUp, ...onTime]
  return { ticks, droppedMs: caughtUp[0] === first ? undefined : first, nextMs }
}

function catchUp(missed: Missed, onTime: number): number {
  if (missed === 'skip') return 0
  if (missed === 'once') return onTime > 0 ? 0 : 1
  return missed.fill
}

/** The newest `count` ticks in [from, to]. Looked for in growing stretches back from the end: years of seconds are never walked through. */
function newest(next: NextTick, from: number, to: number, count: number): number[] {
  if (count === 0) return []
  for (let span = FIRST_SPAN_MS; ; span *= 4) {
    const start = Math.max(from, to - span)
    const found = between(next, start, to)
    if (found.length >= count || start === from) return found.slice(-count)
  }
}

/** The ticks in [from, to], in order. */
function between(next: NextTick, from: number, to: number): number[] {
  const found: number[] = []
  for (let tick = next(from - 1); tick !== undefined && tick <= to; tick = next(tick)) found.push(tick)
  return found
}
