import type { AuditRecord, HoldState, JobState } from '../history/records.ts'
import type { Change, Timeline } from './timeline.ts'
import type { Finding } from './violation.ts'

/** Nothing of it is claimed in this time, which both ends leave out; ms since 1970 by the database's clock. */
interface Closed {
  readonly from: number
  readonly until: number
}

/** From the moment when a worker is told that its queue is paused nothing of it is claimed, until somebody resumes it. */
export function* claimsWhilePaused({ history, changes }: Timeline): Iterable<Finding> {
  for (const [queue, told] of pausesTold(history.clients)) {
    const switches = history.queues.filter(({ to }) => to?.queue === queue)
    const closed = told.flatMap((from) => pauseAt(switches, from))
    yield* claimedIn(closed, claimsOf(changes, queue), `queue ${queue} was paused`)
  }
}

function pausesTold(clients: Timeline['history']['clients']): Map<string, number[]> {
  const told = new Map<string, number[]>()
  for (const record of clients)
    if (record.op === 'switched' && record.to === 'paused')
      told.set(record.queue, [...(told.get(record.queue) ?? []), record.t])
  return told
}

/** The pause that is in force then, if there is one: a resume that others asked for may have come before the answer. */
function pauseAt(switches: Timeline['history']['queues'], from: number): Closed[] {
  const isPaused = switches.findLast(({ at }) => at <= from)?.to?.isPaused
  if (isPaused !== true) return []
  return [{ from, until: switches.find(({ at }) => at > from)?.at ?? Number.POSITIVE_INFINITY }]
}

/** Once the job of a handler that was told to slow down waits again, nothing of what is held back is claimed. */
export function* claimsWhileHeldBack({ history, changes, clientsOf }: Timeline): Iterable<Finding> {
  const places = new Map<
    string,
    { readonly queue: string; readonly group: string; readonly closed: Closed[] }
  >()
  for (const change of changes) {
    if (change.kind !== 'settled' || change.to?.status !== 'pending' || !change.from) continue
    const end = clientsOf
      .get(change.id)
      ?.find(
        (record) => record.op === 'end' && record.how === 'held-back' && record.fence === change.from?.fence,
      )
    if (!end) continue
    for (const group of ['', change.from.group ?? '']) {
      const { queue } = change.from
      const place = places.get(`${queue} ${group}`) ?? { queue, group, closed: [] }
      places.set(`${queue} ${group}`, place)
      place.closed.push(...holdAt(history.holds, place, end.t, change))
    }
  }
  for (const { queue, group, closed } of places.values())
    yield* claimedIn(
      closed,
      claimsOf(changes, queue).filter(({ from }) => group === '' || from.group === group),
      `${group === '' ? `queue ${queue}` : `group ${group} of queue ${queue}`} was held back`,
    )
}

/** The hold that was written between the end of a handler and its job's being put back; of several the shortest. */
function holdAt(
  holds: readonly AuditRecord<HoldState>[],
  place: { readonly queue: string; readonly group: string },
  ended: number,
  { n, at }: Change,
): Closed[] {
  const written = holds.filter(
    ({ n: m, at: then, to }) =>
      to?.queue === place.queue && to.group === place.group && then >= ended && m < n,
  )
  const until = Math.min(...written.map(({ to }) => to?.until ?? 0))
  return Number.isFinite(until) && until > at ? [{ from: at, until }] : []
}

type Claim = Change & { readonly from: JobState; readonly to: JobState }

const claimsOf = (changes: readonly Change[], queue: string): Claim[] =>
  changes.filter((change): change is Claim => change.kind === 'claimed' && change.from?.queue === queue)

/** A claim looks at what is closed after the instant that it writes as the start of its jobs. */
function* claimedIn(closed: readonly Closed[], claims: readonly Claim[], why: string): Iterable<Finding> {
  for (const { id, to } of claims) {
    const startedAt = to.startedAt ?? 0
    const hit = closed.find(({ from, until }) => startedAt > from && startedAt < until)
    if (hit)
      yield { job: id, message: `job ${id} was claimed ${(startedAt - hit.from).toFixed(1)} ms after ${why}` }
  }
}
