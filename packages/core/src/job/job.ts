import type { AnyQueue, PayloadOf } from './queue.ts'
import type { JobStatus } from './status.ts'

/** Any value that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** What `metadata` holds: text by name, such as a trace context or a tenant. */
export type Metadata = { readonly [key: string]: Json }

/** How one attempt ended when it did not succeed; `errors` keeps the newest 100 of them. */
export interface AttemptError {
  /** 1 for the first attempt. */
  readonly attempt: number
  /** When it was recorded, by the database's clock: ISO 8601 with offset. */
  readonly at: string
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** A job as its handler sees it. */
export interface Job<Payload = unknown> {
  /** A UUID (version 7). It stays the same over all attempts: use it as idempotency key towards other systems. */
  readonly id: string
  /** The name of the queue. */
  readonly queue: string
  /** What the schema of the queue made of the stored payload. */
  readonly payload: Payload
  /** Which attempt this is, counting from 1. A snooze or a release gives its attempt back. */
  readonly attempt: number
  /** The attempt after which a failing job is dead. */
  readonly maxAttempts: number
  /** Rises with every claim and never falls: a fencing token for other systems. */
  readonly fence: number
  /** Lower goes first. */
  readonly priority: number
  /** The group that it was enqueued with, if any. */
  readonly group: string | null
  readonly metadata: Metadata
  readonly createdAt: Date
  readonly scheduledFor: Date
}

/** The jobs of a queue, as its handler sees them. */
export type JobOf<Q extends AnyQueue> = Job<PayloadOf<Q>>

/** A job as one reads it back: the whole row of `pgq.jobs`. */
export interface JobRecord<Payload = unknown, Result = unknown> {
  readonly id: string
  readonly queue: string
  readonly payload: Payload
  readonly status: JobStatus
  readonly priority: number
  readonly attempts: number
  readonly maxAttempts: number
  readonly fence: number
  readonly scheduledFor: Date
  readonly createdAt: Date
  readonly startedAt: Date | null
  /** When it was completed, died or was cancelled. */
  readonly completedAt: Date | null
  /** The worker that holds the claim, while `processing`. */
  readonly lockedBy: string | null
  readonly uniqueKey: string | null
  readonly group: string | null
  /** The message of the last error. */
  readonly error: string | null
  readonly errors: readonly AttemptError[]
  readonly result: Result | null
  readonly progress: Json | null
  readonly metadata: Metadata
}

/** A job that this process has claimed: what the database returned, before its payload has been checked. */
export interface ClaimedJob {
  readonly id: string
  readonly queue: string
  readonly payload: unknown
  /** How long the payload is as JSON text, in characters. */
  readonly payloadLength: number
  readonly priority: number
  readonly attempt: number
  readonly maxAttempts: number
  readonly fence: number
  /** How often a worker died or stalled with this job in hand. */
  readonly crashes: number
  /** Set when the job was enqueued with a timeout of its own. */
  readonly timeoutMs: number | null
  /** Set when the job was enqueued with a backoff of its own. */
  readonly backoff: unknown
  readonly group: string | null
  readonly metadata: Metadata
  /** Milliseconds since 1970 by the database's clock, with fractions. */
  readonly createdAtMs: number
  readonly scheduledForMs: number
  /** When it was claimed. With the fence it says which claim it was: a crash of the server may undo one, and the next has the same fence. */
  readonly startedAtMs: number
}
