import type { AuditRecord, ClientRecord, History, JobState } from '../history/records.ts'

/** What a change of a job was. */
type ChangeKind =
  | 'inserted'
  | 'claimed'
  /** An attempt's outcome: completed, failed, dead, cancelled, or put back with its attempt given back. */
  | 'settled'
  /** Taken from a worker that was declared lost. */
  | 'rescued'
  /** Cancelled from outside. */
  | 'cancelled'
  /** A dead or cancelled job runs again. */
  | 'revived'
  /** Its status stayed. */
  | 'touched'
  | 'deleted'
  | 'illegal'

/** One change of one job: an UPDATE, or the DELETE and the INSERT of one move between partitions. */
export interface Change {
  readonly n: number
  readonly at: number
  readonly xid: string
  readonly id: string
  readonly from: JobState | null
  readonly to: JobState | null
  readonly kind: ChangeKind
}

/** A history, sorted by what it is about. */
export interface Timeline {
  readonly history: History
  /** All changes of jobs, in the order of the audit. */
  readonly changes: readonly Change[]
  readonly changesOf: ReadonlyMap<string, readonly Change[]>
  readonly clientsOf: ReadonlyMap<string, readonly ClientRecord[]>
  /** The process of each worker. */
  readonly processOf: ReadonlyMap<string, string>
  /** When the server was crashed, which undoes claims, as they wait for no disk. */
  readonly crashes: readonly number[]
}

/** Sorts a history. */
export function timelineOf(history: History): Timeline {
  const changes = changesIn(history.jobs)
  const processOf = new Map<string, string>()
  for (const { id, to } of history.workers) if (to) processOf.set(id, to.name)
  const crashes = history.clients.flatMap((record) =>
    record.op === 'fault' && ['restart', 'diskFull'].includes(record.kind) ? [record.t] : [],
  )
  return {
    history,
    changes,
    changesOf: groupBy(changes, ({ id }) => id),
    clientsOf: groupBy(history.clients.filter(isAboutJob), ({ job }) => job),
    processOf,
    crashes,
  }
}

type AboutJob = Extract<ClientRecord, { readonly job: string }>
const isAboutJob = (record: ClientRecord): record is AboutJob => 'job' in record

function changesIn(records: readonly AuditRecord<JobState>[]): Change[] {
  const changes: Change[] = []
  const left = new Map<string, AuditRecord<JobState>>()
  for (const record of records) {
    const move = `${record.xid} ${record.id}`
    const before = left.get(move)
    if (record.from && !record.to) left.set(move, record)
    else if (record.to && !record.from && before) {
      left.delete(move)
      changes.push(change(record, before.from, record.to))
    } else changes.push(change(record, record.from, record.to))
  }
  for (const record of left.values()) changes.push(change(record, record.from, null))
  return changes.toSorted((one, other) => one.n - other.n)
}

function change(record: AuditRecord<JobState>, from: JobState | null, to: JobState | null): Change {
  return { ...record, from, to, kind: kindOf(from, to) }
}

const ENDED = ['completed', 'dead', 'cancelled']
const isWaiting = (state: JobState): boolean => state.status === 'pending' || state.status === 'failed'

/** The matrix of what is legal. What a rescue does it tells by counting a crash; what a person does, by raising the fence. */
function kindOf(from: JobState | null, to: JobState | null): ChangeKind {
  if (!to) return from && ENDED.includes(from.status) ? 'deleted' : 'illegal'
  if (!from) return to.status === 'pending' && to.attempts === 0 && to.fence === 0 ? 'inserted' : 'illegal'
  if (isWaiting(from)) {
    if (to.status === 'processing') return 'claimed'
    if (to.status === 'cancelled') return 'cancelled'
    return to.status === from.status ? 'touched' : 'illegal'
  }
  if (from.status === 'processing') return kindOfLeaving(from, to)
  if (from.status === 'completed') return 'illegal'
  return to.status === 'pending' ? 'revived' : 'illegal'
}

function kindOfLeaving(from: JobState, to: JobState): ChangeKind {
  if (to.status === 'processing') return 'touched'
  if (to.crashes > from.crashes) return to.status === 'failed' || to.status === 'dead' ? 'rescued' : 'illegal'
  if (to.status === 'cancelled' && to.fence > from.fence) return 'cancelled'
  return 'settled'
}

function groupBy<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of list) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
