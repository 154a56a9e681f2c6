import type { ClientRecord, HandlerEnd, JobState, Told } from '../history/records.ts'
import type { Change, Timeline } from './timeline.ts'
import { type Finding, SLACK_MS } from './violation.ts'

type EndRecord = Extract<ClientRecord, { op: 'end' }>

/** The status that a told outcome leaves the job in. */
const STATUS_OF: Readonly<Record<Exclude<Told, 'lost'>, string>> = {
  completed: 'completed',
  failed: 'failed',
  dead: 'dead',
  cancelled: 'cancelled',
  snoozed: 'pending',
  released: 'pending',
}

/** Which ends of a handler lead to which status. */
const ENDS_OF: Readonly<Record<string, readonly HandlerEnd[]>> = {
  completed: ['returned'],
  failed: ['threw'],
  dead: ['threw', 'gave-up'],
  cancelled: ['cancelled'],
}

/**
 * An outcome is accepted only from a handler that has ended, of the process and under the fence that hold the claim. What has not begun may be given back, and
 * what runs by a worker that was asked to stop.
 */
export function* unearnedOutcomes(timeline: Timeline): Iterable<Finding> {
  for (const change of outcomes(timeline)) {
    const { id, at, from, to } = change
    const process = timeline.processOf.get(from.lockedBy ?? '')
    const hasBefore = (op: 'start' | 'end', untilMs: number): boolean =>
      recordsOf(timeline, op, id, from.fence).some(({ p, t }) => p === process && t <= untilMs)
    if (hasBefore('end', at + SLACK_MS)) continue
    const mayGiveBack = !hasBefore('start', at - SLACK_MS) || isStopping(timeline, process, at)
    if (to.status !== 'pending' || !mayGiveBack)
      yield {
        job: id,
        message: `job ${id} became ${to.status} under fence ${from.fence} of ${process ?? from.lockedBy}, whose handler had not ended`,
      }
  }
}

/** What is written of an attempt is what its handler ended with, down to the message of its error and the claim of its result. */
export function* garbledOutcomes(timeline: Timeline): Iterable<Finding> {
  const { transactionalQueues } = timeline.history.terms
  for (const { id, from, to } of outcomes(timeline)) {
    if (to.status === 'completed' && to.resultFence !== from.fence)
      yield {
        job: id,
        message: `job ${id} was completed under fence ${from.fence} with the result of fence ${to.resultFence}`,
      }
    if (to.status === 'completed' && to.resultTicket !== to.ticket)
      yield {
        job: id,
        message: `job ${id}, ${to.ticket}, was completed with the result of ${to.resultTicket}`,
      }
    const process = timeline.processOf.get(from.lockedBy ?? '')
    const ends = endsOf(timeline, id, from.fence).filter(({ p }) => p === process)
    const wanted = ENDS_OF[to.status]
    // A transaction may fail to commit after its handler has returned.
    const mayFail = transactionalQueues.includes(from.queue) && to.status !== 'completed'
    if (ends.length === 0 || wanted === undefined || mayFail) continue
    const fits = ends.some(({ how, message }) => wanted.includes(how) && isRecorded(message, to))
    if (!fits)
      yield {
        job: id,
        message: `job ${id} became ${to.status} (${to.error ?? ''}), but its handler ${ends.map(({ how, message }) => `${how} ${message ?? ''}`).join(' and ')}`,
      }
  }
}

/** PostgreSQL stores no NUL: the rest of the message has to be there. */
function isRecorded(message: string | undefined, { status, error }: JobState): boolean {
  if (message === undefined || status === 'completed') return true
  const kept = message.split('\0')
  return kept.every((part) => error?.includes(part) ?? false)
}

/** Under one claim one outcome is told of, and one is written; a job that has ended ends again only after it was revived. */
export function* doubleOutcomes({ clientsOf, changesOf }: Timeline): Iterable<Finding> {
  for (const [job, records] of clientsOf) {
    const told = new Map<number, string>()
    for (const record of records) {
      if (record.op !== 'told' || record.outcome === 'lost') continue
      const before = told.get(record.fence)
      if (before !== undefined)
        yield {
          job,
          message: `two outcomes of fence ${record.fence} of job ${job} were accepted: ${before}, ${record.outcome}`,
        }
      told.set(record.fence, record.outcome)
    }
  }
  for (const [job, changes] of changesOf) {
    const settled = new Set<number>()
    for (const { kind, from } of changes) {
      if (kind !== 'settled' || !from) continue
      if (settled.has(from.fence))
        yield { job, message: `fence ${from.fence} of job ${job} was settled twice` }
      settled.add(from.fence)
    }
  }
}

/** Who was told that an outcome was accepted finds it written, under its own claim. */
export function* lostOutcomes({ clientsOf, changesOf, processOf }: Timeline): Iterable<Finding> {
  for (const [job, records] of clientsOf) {
    for (const record of records) {
      if (record.op !== 'told' || record.outcome === 'lost') continue
      const status = STATUS_OF[record.outcome]
      const written = changesOf.get(job)?.some(
        ({ kind, from, to }) =>
          // A worker also tells of those of its jobs that were cancelled from outside.
          (kind === 'settled' || (kind === 'cancelled' && record.outcome === 'cancelled')) &&
          from?.fence === record.fence &&
          to?.status === status &&
          processOf.get(from.lockedBy ?? '') === record.p,
      )
      if (written !== true)
        yield {
          job,
          message: `${record.p} was told that job ${job} is ${record.outcome} under fence ${record.fence}, which is not written`,
        }
    }
  }
}

/** Progress is written only under the claim of the handler that made it. */
export function* staleWrites({ changes }: Timeline): Iterable<Finding> {
  for (const { id, kind, from, to } of changes) {
    if (kind !== 'touched' || !to || to.progressFence === null || to.progressFence === from?.progressFence)
      continue
    if (to.progressFence !== to.fence)
      yield {
        job: id,
        message: `progress of fence ${to.progressFence} of job ${id} was written under fence ${to.fence}`,
      }
  }
}

/** What a transactional handler wrote is there once if its job is completed, under the fence that completed it, and not otherwise. */
export function* transactionalEffects({ history, changesOf }: Timeline): Iterable<Finding> {
  const { effects } = history.end
  const fences = new Map<string, number[]>()
  for (const { job, fence } of effects) fences.set(job, [...(fences.get(job) ?? []), fence])
  for (const [job, changes] of changesOf) {
    const last = changes.at(-1)?.to
    if (!last || !history.terms.transactionalQueues.includes(last.queue)) continue
    const found = fences.get(job) ?? []
    const wanted = last.status === 'completed' ? [last.fence] : []
    if (found.join() !== wanted.join())
      yield {
        job,
        message: `job ${job} is ${last.status} under fence ${last.fence}, and its effects are of the fences [${found.join(', ')}]`,
      }
  }
  for (const job of fences.keys())
    if (!changesOf.has(job)) yield { job, message: `there are effects of job ${job}, which never was` }
}

type Outcome = Change & { readonly from: JobState; readonly to: JobState }

const outcomes = ({ changes }: Timeline): Outcome[] =>
  changes.filter((change): change is Outcome => change.kind === 'settled')

const endsOf = (timeline: Timeline, job: string, fence: number): EndRecord[] =>
  recordsOf(timeline, 'end', job, fence)

function recordsOf<Op extends 'start' | 'end'>(
  { clientsOf }: Timeline,
  op: Op,
  job: string,
  fence: number,
): Extract<ClientRecord, { op: Op }>[] {
  return (clientsOf.get(job) ?? []).filter(
    (record): record is Extract<ClientRecord, { op: Op }> => record.op === op && record.fence === fence,
  )
}

/** Whether a process had been asked to stop by then. */
const isStopping = ({ history }: Timeline, process: string | undefined, at: number): boolean =>
  history.clients.some(
    (record) =>
      record.op === 'fault' &&
      record.kind === 'stop' &&
      record.process === process &&
      record.t <= at + SLACK_MS,
  )
