import type { AttemptError, ClaimedJob } from './job/job.ts'
import type { JobStatus } from './job/status.ts'

/** What events say about a job. Payloads are left out on purpose: events end up in logs. */
export type EventJob = Pick<
  ClaimedJob,
  | 'id'
  | 'queue'
  | 'attempt'
  | 'maxAttempts'
  | 'fence'
  | 'metadata'
  | 'createdAtMs'
  | 'scheduledForMs'
  | 'startedAtMs'
>

/** The error of an attempt, as it was stored. */
export type EventError = Pick<AttemptError, 'name' | 'message' | 'stack'>

/** Everything that happens, by name. Events of jobs are emitted once the database has accepted what they say. */
export interface PgqEvents {
  /** Jobs were written. In a caller's transaction they exist only once it commits. */
  readonly 'job.enqueued': {
    readonly queue: string
    readonly ids: readonly string[]
    /** How many were not written, because another job stands for them. */
    readonly deduplicated: number
    /** Those of the jobs that stand which took over what the new ones brought; left out when there are none. */
    readonly replaced?: readonly string[]
    readonly inTransaction: boolean
  }
  /** A handler is about to run. */
  readonly 'job.started': { readonly job: EventJob }
  readonly 'job.completed': { readonly job: EventJob; readonly durationMs: number; readonly problem?: string }
  /** An attempt failed and will be repeated. */
  readonly 'job.failed': {
    readonly job: EventJob
    readonly durationMs: number
    readonly error: EventError
    readonly delayMs: number
  }
  readonly 'job.dead': { readonly job: EventJob; readonly durationMs: number; readonly error: EventError }
  readonly 'job.cancelled': {
    readonly job: EventJob
    readonly durationMs: number
    readonly error: EventError
  }
  readonly 'job.snoozed': { readonly job: EventJob; readonly durationMs: number; readonly delayMs: number }
  /** A claimed job was given back without costing an attempt: the worker stops, or cannot begin it now. */
  readonly 'job.released': { readonly job: EventJob }
  /** What an attempt led to was not accepted, because its claim no longer stood. */
  readonly 'job.lost': { readonly job: EventJob }
  /** A handler goes on after its signal was aborted and its grace is over; its slot stays taken until it ends. */
  readonly 'job.stuck': { readonly job: EventJob; readonly runningMs: number }
  /** Jobs of lost workers were taken back: `failed` ones run again, `dead` ones had no attempt left. */
  readonly 'job.rescued': {
    readonly jobs: readonly { readonly id: string; readonly queue: string; readonly status: JobStatus }[]
  }
  readonly 'worker.started': { readonly workerId: string; readonly queues: readonly string[] }
  readonly 'worker.stopping': { readonly workerId: string }
  readonly 'worker.stopped': { readonly workerId: string }
  /** This worker was declared lost by others, and goes on under a new id. */
  readonly 'worker.lost': {
    readonly workerId: string
    readonly newWorkerId: string
    readonly abortedJobs: number
  }
  /** The lease could not be renewed in time: nothing is claimed or begun until it is. */
  readonly 'worker.paused': { readonly workerId: string; readonly sinceHeartbeatMs: number }
  readonly 'worker.resumed': { readonly workerId: string }
  readonly 'leader.elected': { readonly workerId: string }
  readonly 'leader.resigned': { readonly workerId: string }
  readonly 'listener.connected': { readonly channel: string }
  /** Wake-ups are off; polling goes on. */
  readonly 'listener.disconnected': { readonly channel: string; readonly error: unknown }
  /** Ticks of a schedule were run: `ids` are the jobs, fewer than `ticks` where a unique key held some back. */
  readonly 'schedule.ticked': {
    readonly schedule: string
    readonly queue: string
    readonly ids: readonly string[]
    readonly ticks: readonly Date[]
    readonly deduplicated: number
  }
  /** Ticks were dropped, as `missed` of the schedule says: nobody was there for them, from `since` on. */
  readonly 'schedule.missed': { readonly schedule: string; readonly since: Date }
  readonly 'history.dropped': { readonly days: readonly string[]; readonly jobs: number }
  /** Something in the background failed. It is tried again; nothing is lost. `where` says what it was. */
  readonly error: { readonly where: string; readonly error: unknown }
}

/** The name of an event. */
export type PgqEventName = keyof PgqEvents

/** One event with its name, as listeners of everything get it. */
export type PgqEvent = {
  readonly [Name in PgqEventName]: { readonly type: Name } & PgqEvents[Name]
}[PgqEventName]

type Listener = (event: never) => unknown

/** The event stream: the only way the outside learns what happens. A listener that throws or rejects harms nobody. */
export class Events {
  readonly #listeners = new Map<PgqEventName | '*', Set<Listener>>()

  /** Adds a listener for one event, or for all of them with `'*'`. Returns the function that removes it. */
  on<Name extends PgqEventName>(name: Name, listener: (event: PgqEvents[Name]) => unknown): () => void
  on(name: '*', listener: (event: PgqEvent) => unknown): () => void
  on(name: PgqEventName | '*', listener: Listener): () => void {
    const own: Listener = (event) => listener(event) // the same function may be added twice
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(own))
    return () => void listeners.delete(own)
  }

  /** Whether anybody would hear of it: hot paths build no event for nobody. */
  wants(name: PgqEventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0 || (this.#listeners.get('*')?.size ?? 0) > 0
  }

  emit<Name extends PgqEventName>(name: Name, event: PgqEvents[Name]): void {
    const listeners = this.#listeners.get(name)
    if (listeners && listeners.size > 0) this.#tell(name, listeners, event)
    const all = this.#listeners.get('*')
    if (all && all.size > 0) this.#tell(name, all, { type: name, ...event })
  }

  /** Listeners may add and remove others while they are told: those that were there and still are hear of it, once. */
  #tell(name: PgqEventName, listeners: ReadonlySet<Listener>, event: unknown): void {
    for (const listener of Array.from(listeners))
      if (listeners.has(listener)) this.#call(name, listener, event)
  }

  #call(name: PgqEventName, listener: Listener, event: unknown): void {
    try {
      const answer: unknown = listener(event as never)
      if (answer instanceof Promise) answer.catch((error: unknown) => this.#listenerFailed(name, error))
    } catch (error) {
      this.#listenerFailed(name, error)
    }
  }

  /** Told as an `error` event, unless it was a listener of that which failed. */
  #listenerFailed(name: PgqEventName, error: unknown): void {
    if (name !== 'error') this.emit('error', { where: `a listener of ${name}`, error })
  }
}
