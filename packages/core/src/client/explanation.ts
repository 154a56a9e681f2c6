import type { ReasonRow } from '../store/fleet-reader.ts'
import type { AttemptError } from '../job/job.ts'

/** Why a job stands where it does. `code` is stable; `message` is a sentence for people; times are by the database's clock. */
export type Reason = { readonly message: string } & (
  | /** It is not due yet. */ { readonly code: 'not_due'; readonly until: Date }
  | /** An attempt has failed, and the next one is not due yet. */ {
      readonly code: 'retry_later'
      readonly until: Date
      readonly attempts: number
      readonly maxAttempts: number
      readonly error: string | null
    }
  | /** Another job has the same unique key, and this one waits until that has ended. */ {
      readonly code: 'waits_behind'
      readonly jobId: string
    }
  | { readonly code: 'queue_paused'; readonly since: Date; readonly reason: string | null }
  | /** A handler has asked for a pause. Without `group`, for the whole queue, as in what follows. */ {
      readonly code: 'held_back'
      readonly until: Date
      readonly group: string | null
    }
  | { readonly code: 'rate_limited'; readonly until: Date; readonly group: string | null }
  | /** As many jobs are running as may. */ {
      readonly code: 'at_limit'
      readonly group: string | null
      readonly limit: number
      readonly running: number
      /** The ids of the running jobs that hold the limit, 20 at the most. */
      readonly heldBy: readonly string[]
    }
  | /** Nobody has a handler for its queue. */ { readonly code: 'no_worker' }
  | /** Those that have one have not renewed their leases. */ {
      readonly code: 'workers_late'
      readonly workers: readonly { readonly id: string; readonly name: string; readonly leaseUntil: Date }[]
    }
  | /** Others of its queue, or of its group, are more urgent, or have been due longer. */ {
      readonly code: 'behind_others'
      readonly jobs: number
      /** There are more than `jobs`: counting ends there. */
      readonly isMore: boolean
    }
  | /** Nothing is in its way: a worker is about to claim it, or has all of its slots in use. */ {
      readonly code: 'next'
      readonly workers: number
      readonly running: number
    }
  | {
      readonly code: 'running'
      readonly since: Date
      readonly attempt: number
      readonly workerId: string | null
      readonly workerName: string | null
      /** `lost` when others are about to take the job back, `unknown` when no such worker is known. */
      readonly workerState: 'alive' | 'late' | 'lost' | 'unknown'
    }
  | { readonly code: 'completed'; readonly at: Date }
  | { readonly code: 'cancelled'; readonly at: Date; readonly reason: string | null }
  | {
      readonly code: 'dead'
      readonly at: Date
      readonly attempts: number
      readonly error: string | null
      readonly errors: readonly AttemptError[]
    }
  | /** A reason that this version of the package does not know; the message says it. */ {
      readonly code: 'other'
      readonly name: string
      readonly details: { readonly [key: string]: unknown }
    }
)

/** The codes of reasons. */
export type ReasonCode = Reason['code']

/** What `explain` says of a job. */
export interface Explanation {
  /** `waiting` when something has to happen before it runs. */
  readonly state: 'waiting' | 'running' | 'ended'
  /** One at least; when a job waits, everything that is in its way. */
  readonly reasons: readonly Reason[]
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'cancelled', 'dead'])
const KNOWN: ReadonlySet<string> = new Set([
  ...ENDED,
  'not_due',
  'retry_later',
  'waits_behind',
  'queue_paused',
  'held_back',
  'rate_limited',
  'at_limit',
  'no_worker',
  'workers_late',
  'behind_others',
  'next',
  'running',
])
/** Details that are times, in ms. */
const TIMES: ReadonlySet<string> = new Set(['until', 'since', 'at', 'leaseUntil'])

/** Makes an explanation of what the database said; null when it knows no such job. */
export function explanation(rows: readonly ReasonRow[]): Explanation | null {
  const [first] = rows
  if (!first) return null
  const state = ENDED.has(first.code) ? 'ended' : first.code === 'running' ? 'running' : 'waiting'
  return { state, reasons: rows.map(reason) }
}

function reason({ code, message, details }: ReasonRow): Reason {
  if (!KNOWN.has(code)) return { code: 'other', name: code, message, details }
  return { code, message, ...(withTimes(details) as object) } as Reason
}

function withTimes(details: unknown): unknown {
  if (Array.isArray(details)) return details.map(withTimes)
  if (typeof details !== 'object' || details === null) return details
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => [
      key,
      TIMES.has(key) && typeof value === 'number'
        ? new Date(value)
        : key === 'errors'
          ? value
          : withTimes(value),
    ]),
  )
}
