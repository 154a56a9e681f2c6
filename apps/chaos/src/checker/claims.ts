import type { Change, Timeline } from './timeline.ts'
import type { Finding } from './violation.ts'
import { SLACK_MS } from './violation.ts'

/** Only what the matrix of statuses allows happens. Completed jobs stay as they are. */
export function* illegalTransitions({ changes }: Timeline): Iterable<Finding> {
  for (const { id, kind, from, to } of changes)
    if (kind === 'illegal')
      yield {
        job: id,
        message: `job ${id} went from ${from?.status ?? 'nothing'} to ${to?.status ?? 'nothing'}`,
      }
}

/** The fence never falls, a claim raises it by one, and whoever takes a job from its holder raises it as well. */
export function* fenceOrder({ changes }: Timeline): Iterable<Finding> {
  for (const { id, kind, from, to } of changes) {
    if (!from || !to) continue
    const rise = to.fence - from.fence
    const least = kind === 'claimed' || mustRaise(kind, to.status) ? 1 : 0
    const most = kind === 'claimed' ? 1 : Number.POSITIVE_INFINITY
    if (rise < least || rise > most)
      yield {
        job: id,
        message: `job ${id} was ${kind}, and its fence went from ${from.fence} to ${to.fence}`,
      }
  }
}

const mustRaise = (kind: Change['kind'], status: string): boolean =>
  ['rescued', 'cancelled', 'revived'].includes(kind) || status === 'pending' || status === 'failed'
    ? kind !== 'touched'
    : false

/** No job is claimed while another claim of it lives. */
export function* overlappingClaims({ changes }: Timeline): Iterable<Finding> {
  for (const { id, kind, from, to } of changes) {
    const goesOn = kind === 'touched' && from?.status === 'processing' && to
    if (goesOn && (to.fence !== from.fence || to.lockedBy !== from.lockedBy))
      yield { job: id, message: `job ${id} was claimed by ${to.lockedBy} while ${from.lockedBy} held it` }
  }
}

/** Each claim is handed to one handler. Only a crash of the server may undo a claim, and then its fence is given again. */
export function* doubleStarts({ clientsOf, crashes }: Timeline): Iterable<Finding> {
  for (const [job, records] of clientsOf) {
    const starts = new Map<number, number>()
    for (const record of records) {
      if (record.op !== 'start') continue
      const before = starts.get(record.fence)
      starts.set(record.fence, record.t)
      if (before === undefined) continue
      // A restart is written down before and after it; a claim may have been undone that was made a little before.
      if (!crashes.some((t) => t >= before - 5_000 && t <= record.t + SLACK_MS))
        yield { job, message: `two handlers began under fence ${record.fence} of job ${job}` }
    }
  }
}

/** A worker is given up only when its lease has run out by the database's clock, and jobs are taken only from one that was. */
export function* earlyRescues({ history, changes }: Timeline): Iterable<Finding> {
  const { leaseMs } = history.terms
  const lostN = new Map<string, number>()
  const renewed = new Map<string, number>()
  for (const { n, at, id, from, to } of history.workers) {
    if (!to) continue
    if (to.lostAt === null) {
      if (!from || from.leaseUntil !== to.leaseUntil) renewed.set(id, at)
      continue
    }
    if (from?.lostAt === null) {
      const sinceMs = at - (renewed.get(id) ?? Number.NEGATIVE_INFINITY)
      if (sinceMs < leaseMs - SLACK_MS)
        yield {
          message: `worker ${id} was declared lost ${Math.round(sinceMs)} ms after it renewed a lease of ${leaseMs} ms`,
        }
    }
    if (!lostN.has(id)) lostN.set(id, n)
  }
  for (const { n, id, kind, from } of changes) {
    if (kind !== 'rescued' || !from?.lockedBy) continue
    const lost = lostN.get(from.lockedBy)
    if (lost === undefined || lost > n)
      yield { job: id, message: `job ${id} was taken from worker ${from.lockedBy}, which was not lost` }
  }
}

/** The longest time from the end of a lease to the end of its claims, in leases, where nothing goes wrong meanwhile. A rescue itself needs one and a half at the most. */
const RESCUE_LEASES = 5

/**
 * What a lost worker holds is taken over in time, if another one works all the while and no fault happens to anybody else. Faults that come faster than
 * that leave nothing to be held here: then `stuck-job` has the last word.
 */
export function* lateRescues(timeline: Timeline): Iterable<Finding> {
  const { history, changes } = timeline
  const { leaseMs } = history.terms
  const boundMs = RESCUE_LEASES * leaseMs
  const leases = leasesOf(history)
  // One after the other: a long run has more of them than a call takes arguments.
  const endMs = [changes.map(({ at }) => at), history.clients.map(({ t }) => t)]
    .flat()
    .reduce((latest, at) => Math.max(latest, at), 0)
  for (const [worker, { name, untilMs }] of leases) {
    const isWatched = [...leases].some(
      ([other, { sinceMs, seenMs }]) =>
        other !== worker && sinceMs <= untilMs && seenMs >= untilMs + boundMs - leaseMs,
    )
    const isDisturbed = history.clients.some(
      (record) =>
        record.op === 'fault' &&
        record.process !== name &&
        record.t > untilMs - 2 * leaseMs &&
        record.t < untilMs + boundMs,
    )
    if (!isWatched || isDisturbed || endMs < untilMs + boundMs) continue
    for (const id of heldBy(changes, worker, untilMs + boundMs))
      yield {
        job: id,
        message: `job ${id} was still in the hands of ${name} ${boundMs} ms after the end of its lease`,
      }
  }
}

/** Of each worker: since when it is there, until when its last lease ran, and when it was last seen to renew one. */
function leasesOf({ workers }: Timeline['history']) {
  const leases = new Map<string, { name: string; sinceMs: number; untilMs: number; seenMs: number }>()
  for (const { id, at, to } of workers) {
    if (!to || to.lostAt !== null) continue
    const { sinceMs = at } = leases.get(id) ?? {}
    leases.set(id, { name: to.name, sinceMs, untilMs: to.leaseUntil, seenMs: at })
  }
  return leases
}

/** The jobs that a worker holds at some moment. */
function heldBy(changes: readonly Change[], worker: string, atMs: number): Set<string> {
  const held = new Set<string>()
  for (const { id, at, from, to } of changes) {
    if (at > atMs) break
    if (from?.lockedBy === worker) held.delete(id)
    if (to?.lockedBy === worker) held.add(id)
  }
  return held
}

/** Each claim costs one attempt, only an attempt that is put back gives it back, and there are never more than the limit. */
export function* attempts({ changes }: Timeline): Iterable<Finding> {
  for (const { id, kind, from, to } of changes) {
    if (!to) continue
    if (to.attempts > to.maxAttempts)
      yield { job: id, message: `job ${id} has used ${to.attempts} attempts of ${to.maxAttempts}` }
    if (!from) continue
    const rise = to.attempts - from.attempts
    const givesBack = kind === 'settled' && to.status === 'pending'
    // Another payload has all the attempts before it.
    const isReplaced = kind === 'touched' && from.status === 'failed' && to.ticket !== from.ticket
    const wanted = kind === 'claimed' ? 1 : givesBack ? -1 : isReplaced ? -from.attempts : 0
    if (rise !== wanted && kind !== 'revived' && kind !== 'illegal')
      yield {
        job: id,
        message: `job ${id} was ${kind}, and its attempts went from ${from.attempts} to ${to.attempts}`,
      }
  }
}

/** No job is claimed before it is due, by the database's clock. */
export function* earlyRuns({ changes }: Timeline): Iterable<Finding> {
  for (const { id, kind, to, from } of changes) {
    if (kind !== 'claimed' || !from || to?.startedAt === null || to?.startedAt === undefined) continue
    const earlyMs = from.scheduledFor - to.startedAt
    if (earlyMs > 0)
      yield { job: id, message: `job ${id} was claimed ${earlyMs.toFixed(3)} ms before it was due` }
  }
}

/** A worker claims what it has room for, and no more. */
export function* hoarding({ history, changes }: Timeline): Iterable<Finding> {
  const held = new Map<string, Set<string>>()
  for (const { id, kind, from, to } of changes) {
    if (from?.lockedBy) held.get(from.lockedBy)?.delete(id)
    if (!to?.lockedBy) continue
    const jobs = held.get(to.lockedBy) ?? new Set()
    held.set(to.lockedBy, jobs.add(id))
    if (kind === 'claimed' && jobs.size === history.terms.maxHeld + 1)
      yield { job: id, message: `worker ${to.lockedBy} holds more than ${history.terms.maxHeld} claims` }
  }
}

/** One worker alone claims the more urgent jobs first, and of those the longest due. */
export function* claimOrder({ history, changes }: Timeline): Iterable<Finding> {
  for (const queue of history.terms.orderedQueues) {
    let last: { readonly xid: string; readonly place: string } | undefined
    let highest = ''
    for (const { id, kind, from, xid } of changes) {
      if (kind !== 'claimed' || from?.queue !== queue) continue
      const place = placeOf(from.priority, from.scheduledFor, id)
      if (last && last.xid !== xid && place < highest)
        yield { job: id, message: `job ${id} of ${queue} was claimed after one that was behind it` }
      if (place > highest) highest = place
      last = { xid, place }
    }
  }
}

/** Text whose order is that of the queue. */
const placeOf = (priority: number, scheduledFor: number, id: string): string =>
  `${String(priority + 40_000).padStart(5, '0')} ${scheduledFor.toFixed(3).padStart(20, '0')} ${id}`
