import type { History } from './history/records.ts'
import { type Change, timelineOf } from './checker/timeline.ts'

/** What was done in a run, and how much the faults were felt. */
export interface JobFigures {
  readonly enqueued: number
  /** Enqueues whose answer never came: each is there once or not at all. */
  readonly unanswered: number
  readonly completed: number
  readonly dead: number
  readonly cancelled: number
  readonly claims: number
  /** Claims that were taken from a lost worker. */
  readonly rescued: number
  /** Outcomes that were refused because their claim no longer stood. */
  readonly refused: number
  /** Handlers of plain jobs that ran more than once to their effect, which nothing can prevent. */
  readonly repeated: number
  /** Claims that a crash of the server had undone and that were made again. */
  readonly undone: number
}

/** How long jobs of killed workers waited for their next claim, in ms. */
export interface RecoveryFigures {
  readonly p50: number | null
  readonly p99: number | null
}

/** Counts what a history tells. */
export function jobFigures(history: History, repeated: number): JobFigures {
  const { changes, clientsOf } = timelineOf(history)
  const statuses = new Map<string, number>()
  for (const { status } of history.end.jobs) statuses.set(status, (statuses.get(status) ?? 0) + 1)
  const count = (kind: Change['kind']): number => changes.filter((change) => change.kind === kind).length
  const records = history.clients
  const answered = new Set(
    records.flatMap((record) =>
      record.op === 'enqueued' || (record.op === 'refused' && record.sure) ? [record.call] : [],
    ),
  )
  let undone = 0
  for (const about of clientsOf.values()) {
    const fences = about.flatMap((record) => (record.op === 'start' ? [record.fence] : []))
    undone += fences.length - new Set(fences).size
  }
  return {
    enqueued: count('inserted'),
    unanswered: records.filter((record) => record.op === 'enqueue' && !answered.has(record.call)).length,
    completed: statuses.get('completed') ?? 0,
    dead: statuses.get('dead') ?? 0,
    cancelled: statuses.get('cancelled') ?? 0,
    claims: count('claimed'),
    rescued: count('rescued'),
    refused: records.filter((record) => record.op === 'told' && record.outcome === 'lost').length,
    repeated,
    undone,
  }
}

/** From the kill of a worker to the next claim of each job that it held, or to its end. */
export function recoveryFigures(history: History): RecoveryFigures {
  const { changesOf, processOf } = timelineOf(history)
  const killed = new Map(
    history.clients.flatMap((record) =>
      record.op === 'exit' && record.signal === 'SIGKILL' ? [[record.process, record.t] as const] : [],
    ),
  )
  const waits: number[] = []
  for (const changes of changesOf.values())
    changes.forEach(({ kind, to }, i) => {
      const killedMs = killed.get(processOf.get(to?.lockedBy ?? '') ?? '')
      const next = changes.slice(i + 1)
      if (
        kind !== 'claimed' ||
        killedMs === undefined ||
        next[0]?.kind !== 'rescued' ||
        next[0].at < killedMs
      )
        return
      const again = next.find(
        (change) => change.kind === 'claimed' || change.to?.status === 'dead' || change.kind === 'cancelled',
      )
      if (again) waits.push(again.at - killedMs)
    })
  const sorted = waits.toSorted((one, other) => one - other)
  const at = (share: number): number | null => {
    const wait = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
    return wait === undefined ? null : Math.round(wait)
  }
  return { p50: at(0.5), p99: at(0.99) }
}
