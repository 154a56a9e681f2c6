/** What server and browser say to each other, as JSON. Times are in ms since 1970. */

/** A count that ended at a limit. */
export interface WireCount {
  readonly jobs: number
  readonly isMore: boolean
}

export interface WireQueue {
  readonly queue: string
  readonly due: WireCount
  readonly delayed: WireCount
  readonly processing: number
  readonly dead: WireCount
  readonly cancelled: WireCount
  readonly oldestDueMs: number | null
  readonly pausedAt: number | null
  readonly pausedReason: string | null
}

/** What was done in one period. */
export interface WirePoint {
  readonly completed: number
  /** Attempts that failed: those that are run again and the last ones. */
  readonly failed: number
  readonly ended: number
  /** Of all that ended, together. */
  readonly waitedMs: number
  readonly ranMs: number
}

/** What one queue did in all of the time. */
export interface WireQueueHistory {
  readonly queue: string
  readonly ended: number
  readonly failed: number
  /** In each period. */
  readonly completed: number[]
}

/** What the queues did in some time, in periods of the same length. */
export interface WireHistory {
  readonly startsAt: number
  readonly periodMs: number
  /** One for each period, of all queues together. */
  readonly points: readonly WirePoint[]
  readonly queues: readonly WireQueueHistory[]
}

/** A job in a list. */
export interface WireJobSummary {
  readonly id: string
  readonly queue: string
  readonly status: string
  readonly attempts: number
  readonly maxAttempts: number
  readonly priority: number
  readonly createdAt: number
  readonly scheduledFor: number
  readonly startedAt: number | null
  readonly completedAt: number | null
  readonly error: string | null
  /** The payload as text, cut. */
  readonly payload: string
}

export interface WireJobPage {
  readonly now: number
  readonly jobs: readonly WireJobSummary[]
  readonly cursor: string | null
  readonly looked: number
}

export interface WireAttempt {
  readonly attempt: number
  readonly at: number | null
  readonly name: string
  readonly message: string
  readonly stack: string | null
}

/** A job with everything about it. */
export interface WireJob extends WireJobSummary {
  readonly fence: number
  readonly uniqueKey: string | null
  readonly group: string | null
  readonly lockedBy: string | null
  readonly payloadJson: string
  readonly resultJson: string | null
  readonly progressJson: string | null
  readonly metadataJson: string | null
  readonly errors: readonly WireAttempt[]
}

export interface WireReason {
  readonly code: string
  readonly message: string
  readonly until: number | null
  /** Ids of the jobs that hold what it waits for. */
  readonly heldBy: readonly string[]
}

export interface WireJobView {
  readonly now: number
  readonly job: WireJob
  /** Why it does not run, or where it runs; empty when it has ended. */
  readonly reasons: readonly WireReason[]
}

export interface WireWorker {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly pid: number
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly state: string
  readonly startedAt: number
  readonly heartbeatAt: number
  readonly running: readonly { readonly queue: string; readonly jobs: number; readonly since: number }[]
}

export interface WireSchedule {
  readonly name: string
  readonly queue: string
  readonly rule: string
  readonly nextAt: number | null
  readonly lastAt: number | null
  readonly lastJobId: string | null
  readonly pausedAt: number | null
  readonly finishedAt: number | null
  readonly retiredAt: number | null
  readonly declared: boolean
  readonly error: string | null
}

export interface WireDeadGroup {
  readonly queue: string
  readonly pattern: string
  readonly sample: string
  readonly sampleId: string
  readonly jobs: number
  readonly firstAt: number
  readonly lastAt: number
  /** What a filter looks for in the error to find them; null when there is nothing that all of them have. */
  readonly needle: string | null
}

/** What an action did. */
export interface WireDone {
  readonly jobs: number
  readonly jobId?: string
}

/** How far an action is that takes longer. */
export interface WireProgress {
  readonly soFar: number
}

/** What went wrong. */
export interface WireProblem {
  readonly title: string
  readonly code?: string
}
