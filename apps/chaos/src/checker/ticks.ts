import type { Timeline } from './timeline.ts'
import type { Finding } from './violation.ts'

/** Each tick of a schedule makes one job: no second one, and none is left out while somebody lives to run it. */
export function* tickOnce({ history, changes }: Timeline): Iterable<Finding> {
  const ticksOf = new Map<string, Map<number, string>>()
  for (const { id, kind, to } of changes) {
    if (kind !== 'inserted' || !to || to.schedule === null || to.tick === null) continue
    const ticks = ticksOf.get(to.schedule) ?? new Map<number, string>()
    ticksOf.set(to.schedule, ticks)
    const tick = Date.parse(to.tick)
    const other = ticks.get(tick)
    if (other !== undefined)
      yield { job: id, message: `${to.schedule} has two jobs for its tick ${to.tick}: ${other} and ${id}` }
    ticks.set(tick, id)
  }
  for (const [schedule, everyMs] of Object.entries(history.terms.schedules))
    yield* leftOut(schedule, everyMs, [...(ticksOf.get(schedule)?.keys() ?? [])], history.end.tickedUntil)
}

function* leftOut(
  schedule: string,
  everyMs: number,
  ran: readonly number[],
  until: number | null,
): Iterable<Finding> {
  if (until === null) return
  const ticks = new Set(ran)
  // Who saw none at all can't tell when the first one should have been.
  let tick = Math.min(...ticks, Math.floor(until / everyMs) * everyMs)
  for (; tick <= until; tick += everyMs)
    if (!ticks.has(tick))
      yield { message: `${schedule} has no job for its tick ${new Date(tick).toISOString()}` }
}
