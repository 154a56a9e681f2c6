import type { ClaimedJob, Metadata } from '../job/job.ts'
import { inTurns } from '../job/in-turns.ts'
import type { JobStatus } from '../job/status.ts'
import { type ClaimParams, type ClaimRow, claimJobs } from '../sql/claim-jobs.ts'
import { CANCELLED } from '../sql/control-jobs.ts'
import { findOutcomes } from '../sql/find-outcomes.ts'
import { type Claim, lostClaims } from '../sql/held-claims.ts'
import { storeProgress } from '../sql/progress.ts'
import { releaseStrays } from '../sql/release-strays.ts'
import { type AcceptedRow, settleCompleted } from '../sql/settle-completed.ts'
import { settleEnded } from '../sql/settle-ended.ts'
import { settleWaiting } from '../sql/settle-waiting.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'
import type { RecordedError, RecordedValue } from '../job/recorded.ts'

/** What `settle…` writes, by kind of ending. */
export interface CompletedChange extends Claim {
  readonly result: RecordedValue
}
export interface EndedChange extends Claim {
  readonly status: 'dead' | 'cancelled'
  readonly error: RecordedError
}
export interface WaitingChange extends Claim {
  readonly status: 'failed' | 'pending'
  /** Not given: the job keeps its time. */
  readonly delayMs?: number
  readonly error?: RecordedError
}

/** A claim as it was made: which attempt it was for, and when, by the clock of the database. */
export type MadeClaim = Pick<ClaimedJob, 'id' | 'fence' | 'attempt' | 'startedAtMs'>

/** A claim that no longer stands. */
export interface LostClaim {
  readonly id: string
  readonly fence: number
  readonly cancelled: boolean
  /** Why it was cancelled, if it was and somebody has said. */
  readonly reason: string | null
}

/** How the claim from a queue went that is paused, limited or has groups. */
export interface ClaimNote {
  readonly paused: boolean
  /** Whether a limit may have kept jobs back. */
  readonly limited: boolean
  /** Whether the queue has limits, reached or not. */
  readonly counted: boolean
  /** When to look again, in ms; null when news of a job or a free slot will say so. */
  readonly againMs: number | null
  /** Where the turns of the groups go on. */
  readonly cursor: string | undefined
}

/** The statements of a job's life between claim and settle. Settles return the ids whose claim still stood. */
export class JobStore {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = {
      claim: claimJobs(tables),
      completed: settleCompleted(tables),
      ended: settleEnded(tables),
      waiting: settleWaiting(tables),
      outcomes: findOutcomes(tables),
      lost: lostClaims(tables),
      progress: storeProgress(tables),
      strays: releaseStrays(tables),
    }
  }

  /**
   * Claims due jobs; the most urgent and longest due first, and where there are groups, these in turns.
   * @param onNote told how it went with each queue that was claimed from with care
   */
  async claim(
    session: Session,
    params: ClaimParams,
    onNote: (queue: string, note: ClaimNote) => void = () => {},
  ): Promise<ClaimedJob[]> {
    const rows = await session.run(this.#statements.claim, params)
    const jobs: ClaimedJob[] = []
    for (const row of rows) {
      if (row.id !== null) jobs.push(claimedJob(row, row.id))
      else onNote(row.queue_name, claimNote(JSON.parse(row.payload) as Record<string, unknown>))
    }
    return inTurns(jobs.toSorted(inClaimOrder))
  }

  /** Gives back what is in the worker's name and not among the jobs that it knows of; returns how many those were. */
  async releaseStrays(session: Session, workerId: string, known: readonly string[]): Promise<number> {
    return (await session.run(this.#statements.strays, { workerId, known })).length
  }

  async settleCompleted(session: Session, changes: readonly CompletedChange[]): Promise<Set<string>> {
    const claims = sorted(changes)
    const results = claims.flatMap(({ id, result }) =>
      result.json === null ? [] : [`"${id}":${result.json}`],
    )
    const problems = claims.flatMap(({ id, result }) =>
      result.problem === undefined ? [] : [[id, result.problem]],
    )
    const [row] = await session.run(this.#statements.completed, {
      claims,
      results: results.length > 0 ? `{${results.join(',')}}` : null,
      problems: problems.length > 0 ? JSON.stringify(Object.fromEntries(problems)) : null,
    })
    return acceptedIds(row, claims)
  }

  async settleEnded(session: Session, changes: readonly EndedChange[]): Promise<Set<string>> {
    const claims = sorted(changes)
    const endings = Object.fromEntries(claims.map(({ id, status, error }) => [id, { status, error }]))
    return idsOf(await session.run(this.#statements.ended, { claims, endings: JSON.stringify(endings) }))
  }

  async settleWaiting(session: Session, changes: readonly WaitingChange[]): Promise<Set<string>> {
    const claims = sorted(changes)
    const details = Object.fromEntries(
      claims.map(({ id, status, delayMs, error }) => [id, { status, delay_ms: delayMs, error }]),
    )
    return idsOf(await session.run(this.#statements.waiting, { claims, changes: JSON.stringify(details) }))
  }

  /** Of the given claims, those that an earlier settle of theirs has ended or put back, whose answer did not come, and what it made of them. */
  async findSettled(session: Session, claims: readonly MadeClaim[]): Promise<Map<string, JobStatus>> {
    const rows = await session.run(this.#statements.outcomes, {
      ids: claims.map((claim) => claim.id),
      fences: claims.map((claim) => claim.fence),
      attempts: claims.map((claim) => claim.attempt),
      startsMs: claims.map((claim) => claim.startedAtMs),
    })
    return new Map(rows.map((row) => [row.id, row.status as JobStatus]))
  }

  /** Of the given claims, those that no longer stand, and whether the job was cancelled and why. */
  async findLost(session: Session, claims: readonly Claim[]): Promise<LostClaim[]> {
    const rows = await session.run(this.#statements.lost, claims)
    return rows.map((row) => {
      const cancelled = row.status === 'cancelled'
      return {
        id: row.id,
        fence: Number(row.fence),
        cancelled,
        reason: cancelled && row.error !== CANCELLED ? row.error : null,
      }
    })
  }

  /** Returns whether the claim still stood. */
  async storeProgress(session: Session, claim: Claim, progress: string): Promise<boolean> {
    return (await session.run(this.#statements.progress, { claim, progress })).length > 0
  }
}

/** Locks are taken in the order of the ids: batches that overlap then wait for each other instead of deadlocking. */
function sorted<C extends Claim>(claims: readonly C[]): C[] {
  return claims.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

function acceptedIds(row: AcceptedRow | undefined, claims: readonly Claim[]): Set<string> {
  if (row?.accepted === null) return new Set(claims.map((claim) => claim.id))
  const ids = row?.accepted.slice(1, -1) ?? ''
  return new Set(ids === '' ? [] : ids.split(','))
}

const idsOf = (rows: readonly { readonly id: string }[]): Set<string> => new Set(rows.map((row) => row.id))

const NO_METADATA: Metadata = Object.freeze({})

const claimNote = (note: Record<string, unknown>): ClaimNote => ({
  paused: note['paused'] === true,
  limited: note['limited'] === true,
  counted: note['counted'] === true,
  againMs: typeof note['again_ms'] === 'number' ? note['again_ms'] : null,
  cursor: typeof note['cursor'] === 'string' ? note['cursor'] : undefined,
})

function claimedJob(row: ClaimRow, id: string): ClaimedJob {
  const numbers = row.numbers.split(' ')
  return {
    id,
    queue: row.queue_name,
    payload: JSON.parse(row.payload),
    payloadLength: row.payload.length,
    priority: Number(numbers[0]),
    attempt: Number(numbers[1]),
    maxAttempts: Number(numbers[2]),
    fence: Number(numbers[3]),
    crashes: Number(numbers[4]),
    timeoutMs: row.timeout_ms === null ? null : Number(row.timeout_ms),
    backoff: row.backoff === null ? null : JSON.parse(row.backoff),
    group: numbers.length > 8 ? numbers.slice(8).join(' ') : null,
    metadata: row.metadata === null ? NO_METADATA : (JSON.parse(row.metadata) as Metadata),
    createdAtMs: Number(numbers[5]),
    scheduledForMs: Number(numbers[6]),
    startedAtMs: Number(numbers[7]),
  }
}

/** What a claim returns comes in the order of the table. */
function inClaimOrder(a: ClaimedJob, b: ClaimedJob): number {
  return a.priority - b.priority || a.scheduledForMs - b.scheduledForMs || (a.id < b.id ? -1 : 1)
}
