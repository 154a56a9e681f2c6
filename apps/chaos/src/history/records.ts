/**
 * The two sources of a history. What clients say is written to a file and synced before it counts (a handler's end before
 * the handler returns, an acknowledged enqueue before the producer goes on); what the database did is written by triggers in the transactions
 * that did it. Neither trusts the other.
 */

/** How a handler ended. */
export type HandlerEnd = 'returned' | 'threw' | 'snoozed' | 'cancelled' | 'gave-up' | 'held-back'

/** What a worker was told of an attempt: the database has accepted this outcome, or none. */
export type Told = 'completed' | 'failed' | 'dead' | 'cancelled' | 'snoozed' | 'released' | 'lost'

/** What is done to a queue as a whole. */
export type QueueSwitch = 'paused' | 'resumed'

/** A job as the answer to an enqueue names it. */
export interface Acknowledged {
  readonly ticket: string
  readonly id: string
  /** The id is that of a job that was there before, with the same key. */
  readonly deduplicated: boolean
}

/** One thing that a client did or was told. */
export type ClientEvent =
  /** About to enqueue; `key` for a unique one; `order` when it is in one transaction with a row of its own for each ticket. */
  | {
      readonly op: 'enqueue'
      readonly call: string
      readonly queue: string
      readonly tickets: readonly string[]
      readonly key?: string
      readonly order?: boolean
    }
  | { readonly op: 'enqueued'; readonly call: string; readonly jobs: readonly Acknowledged[] }
  /** `sure`: nothing was written. Otherwise nobody knows. */
  | { readonly op: 'refused'; readonly call: string; readonly code: string; readonly sure: boolean }
  | {
      readonly op: 'start'
      readonly job: string
      readonly fence: number
      readonly attempt: number
      readonly queue: string
      readonly ticket: string
    }
  | {
      readonly op: 'end'
      readonly job: string
      readonly fence: number
      readonly how: HandlerEnd
      readonly message?: string
    }
  | { readonly op: 'told'; readonly job: string; readonly fence: number; readonly outcome: Told }
  /** About to cancel a job or to run it again. */
  | { readonly op: 'act'; readonly call: string; readonly act: 'cancel' | 'retry'; readonly job: string }
  | { readonly op: 'acted'; readonly call: string; readonly changed: number }
  /** About to pause a queue or to resume it, and told that this is done. */
  | { readonly op: 'switch'; readonly call: string; readonly to: QueueSwitch; readonly queue: string }
  | { readonly op: 'switched'; readonly call: string; readonly to: QueueSwitch; readonly queue: string }
  | { readonly op: 'worker'; readonly event: string; readonly workerId: string }
  | { readonly op: 'trouble'; readonly where: string; readonly message: string }
  /** An error that nobody caught: the process is about to end. */
  | { readonly op: 'crash'; readonly message: string }
  /** What the harness did. `process` names the client it was done to, if it was one. */
  | { readonly op: 'fault'; readonly kind: string; readonly process?: string; readonly detail?: string }
  /** A client's process has ended; `wanted` when the harness had ended it. */
  | {
      readonly op: 'exit'
      readonly process: string
      readonly code: number | null
      readonly signal: string | null
      readonly wanted: boolean
      /** How long it took from being asked to, if it was asked politely, in ms. */
      readonly tookMs?: number
    }

/** An event with its time, in ms since 1970 by a clock that no fault changes, and the process it happened in. */
export type ClientRecord = ClientEvent & { readonly t: number; readonly p: string }

/** A row of `pgq.jobs` as a trigger saw it. */
export interface JobState {
  readonly queue: string
  readonly status: string
  readonly fence: number
  readonly attempts: number
  readonly maxAttempts: number
  readonly crashes: number
  readonly priority: number
  readonly lockedBy: string | null
  readonly uniqueKey: string | null
  readonly group: string | null
  /** What it takes of a rate. */
  readonly cost: number
  /** The schedule that enqueued it, and the tick that it is for. */
  readonly schedule: string | null
  readonly tick: string | null
  /** In ms since 1970. */
  readonly createdAt: number
  /** In ms since 1970. */
  readonly scheduledFor: number
  readonly startedAt: number | null
  readonly error: string | null
  /** The fence that the handler put into the progress it wrote. */
  readonly progressFence: number | null
  /** The fence that the handler put into its result. */
  readonly resultFence: number | null
  /** The ticket that the handler put into its result. */
  readonly resultTicket: string | null
  readonly ticket: string | null
}

/** A row of `pgq.workers` as a trigger saw it. */
export interface WorkerState {
  readonly name: string
  readonly leaseUntil: number
  readonly lostAt: number | null
}

/** Whether a row of `pgq.queues` is paused. */
export interface QueueState {
  readonly queue: string
  readonly isPaused: boolean
}

/** Until when a row of `pgq.rates` is held back, in ms since 1970; its group is '' for the whole queue. */
export interface HoldState {
  readonly queue: string
  readonly group: string
  readonly until: number | null
}

/** One change of one row. */
export interface AuditRecord<State> {
  /** Rises; for one row in the order of its changes, because they wait for each other. */
  readonly n: number
  readonly at: number
  /** The transaction. */
  readonly xid: string
  readonly id: string
  readonly from: State | null
  readonly to: State | null
}

/** An effect that a transactional handler has written in its transaction. */
export interface Effect {
  readonly job: string
  readonly fence: number
}

/** Everything that is known of a run. */
export interface History {
  readonly clients: readonly ClientRecord[]
  readonly jobs: readonly AuditRecord<JobState>[]
  readonly workers: readonly AuditRecord<WorkerState>[]
  readonly queues: readonly AuditRecord<QueueState>[]
  readonly holds: readonly AuditRecord<HoldState>[]
  /** What the tables hold at the end. */
  readonly end: {
    readonly jobs: readonly { readonly id: string; readonly status: string; readonly fence: number }[]
    readonly effects: readonly Effect[]
    /** The tickets of rows that were written in one transaction with their job. */
    readonly orders: readonly string[]
    /** Until when all ticks of the schedules should have been run, in ms since 1970 by the database's clock; null if there were none. */
    readonly tickedUntil: number | null
    /** Whether another queue in the same database looks as it did before. */
    readonly bystanderUnchanged: boolean
    readonly deadlocks: number
    /** The connections of each process, once everything was quiet. */
    readonly connections: Readonly<Record<string, number>>
  }
  readonly terms: Terms
}

/** How fast jobs may begin: in any time t no more than `burst + limit * t / perMs`, counted by their cost. */
export interface RateTerms {
  readonly limit: number
  readonly perMs: number
  readonly burst: number
}

/** What makes the jobs of a queue unique. */
interface UniqueTerms {
  /** A newer job takes the place of one that waits, and waits for one that runs. */
  readonly serial?: boolean
  /** How long after its creation a completed job holds its key, in ms. */
  readonly periodMs?: number
}

/** What the checker has to know of how the run was set up. */
export interface Terms {
  readonly leaseMs: number
  readonly transactionalQueues: readonly string[]
  /** How many handlers of each queue one worker runs at once. */
  readonly concurrency: number
  /** How many jobs of a queue, and of each of its groups, may run at once over all workers. */
  readonly limits: Readonly<Record<string, { readonly concurrency: number; readonly perGroup: number }>>
  /** How fast jobs of a queue, and of each of its groups, may begin over all workers. */
  readonly rates: Readonly<Record<string, { readonly queue: RateTerms; readonly group: RateTerms }>>
  /** Queues whose handler takes several jobs at once, and how many of them one worker has in hand at the most. */
  readonly chunks: Readonly<Record<string, number>>
  /** Queues whose jobs are unique by more than their key. */
  readonly unique: Readonly<Record<string, UniqueTerms>>
  /** Schedules all of whose ticks are run, however late, and how far apart these are, in ms. */
  readonly schedules: Readonly<Record<string, number>>
  /** How many claims one worker may hold. */
  readonly maxHeld: number
  /** The longest a polite stop may take, in ms. */
  readonly stopMs: number
  readonly maxConnections: number
  /** Queues that one worker alone works on, without faults: claimed in order. */
  readonly orderedQueues: readonly string[]
}
