import type { ClientRecord, History, JobState } from '../history/records.ts'
import { INVARIANTS, type InvariantName } from './invariants.ts'
import { type Timeline, timelineOf } from './timeline.ts'
import type { Violation } from './violation.ts'

/** What the checker says of a history. */
export interface Verdict {
  /** How often each invariant was violated. */
  readonly violations: Readonly<Record<InvariantName, number>>
  readonly findings: readonly Violation[]
  /** The shortest history that shows a violation, a line for each event; empty if there is none. */
  readonly shortest: readonly string[]
}

/** Holds all invariants against a history. Pure: the same history gives the same verdict. */
export function check(history: History): Verdict {
  const timeline = timelineOf(history)
  const findings: Violation[] = []
  const violations = Object.fromEntries(Object.keys(INVARIANTS).map((name) => [name, 0])) as Record<
    InvariantName,
    number
  >
  for (const name of Object.keys(INVARIANTS) as InvariantName[])
    for (const finding of INVARIANTS[name].check(timeline)) {
      violations[name]++
      findings.push({ invariant: name, ...finding })
    }
  return { violations, findings, shortest: shortestOf(timeline, findings) }
}

/** All that happened to the job with the fewest events of those that show a violation, in order. */
function shortestOf(timeline: Timeline, findings: readonly Violation[]): string[] {
  const stories = findings.map((finding) => [
    `${finding.invariant}: ${finding.message}`,
    ...(finding.job === undefined ? [] : storyOf(timeline, finding.job)),
  ])
  // One about a job shows more than one about the whole run.
  const told = stories.filter((story) => story.length > 1)
  return (told.length > 0 ? told : stories).reduce<string[]>(
    (best, story) => (best.length === 0 || story.length < best.length ? story : best),
    [],
  )
}

function storyOf({ history, changesOf, clientsOf, processOf }: Timeline, job: string): string[] {
  const changes = changesOf.get(job) ?? []
  const ticket = changes[0]?.to?.ticket ?? undefined
  const lines = [
    ...changes.map(({ at, kind, from, to }) => ({
      t: at,
      line: `database  ${kind}: ${show(from, processOf)} -> ${show(to, processOf)}`,
    })),
    ...(clientsOf.get(job) ?? []).map(clientLine),
    ...history.clients.filter((record) => isAboutTicket(record, ticket, job)).map(clientLine),
  ]
  const first = Math.min(...lines.map(({ t }) => t))
  return lines
    .toSorted((one, other) => one.t - other.t)
    .map(({ t, line }) => `${(t - first).toFixed(1).padStart(10)} ms  ${line}`)
}

function isAboutTicket(record: ClientRecord, ticket: string | undefined, job: string): boolean {
  if (record.op === 'enqueue') return ticket !== undefined && record.tickets.includes(ticket)
  return record.op === 'enqueued' && record.jobs.some(({ id }) => id === job)
}

function clientLine(record: ClientRecord): { t: number; line: string } {
  const { t, p, op, ...rest } = record
  const shown = 'jobs' in rest || 'tickets' in rest ? { call: rest.call } : rest
  return { t, line: `${p}  ${op} ${JSON.stringify(shown)}` }
}

function show(state: JobState | null, processOf: ReadonlyMap<string, string>): string {
  if (!state) return 'nothing'
  const holder =
    state.lockedBy === null ? '' : `, held by ${processOf.get(state.lockedBy) ?? ''} ${state.lockedBy}`
  return `${state.status} (fence ${state.fence}, attempt ${state.attempts} of ${state.maxAttempts}${holder})`
}
