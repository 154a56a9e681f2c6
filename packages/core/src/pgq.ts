import type { CancelOptions, ControlOptions } from './client/controller.ts'
import type { DiagnoseOptions, Diagnosis } from './client/diagnosis/doctor.ts'
import type { EnqueueResult } from './client/enqueue-result.ts'
import type { EnqueueOptions } from './client/enqueuer.ts'
import type { JobFilter, JobTarget, ListOptions } from './client/filter.ts'
import type { OnceAnswer, OnceOptions } from './client/idempotency.ts'
import type { Explanation } from './client/explanation.ts'
import type { JobPage } from './client/inspector.ts'
import { openParts, type Parts } from './client/parts.ts'
import type { PgqOptions } from './client/pgq-options.ts'
import type { Schedules } from './client/schedules.ts'
import type { HoldOptions } from './client/queue-control.ts'
import type { WatchOptions } from './client/watcher.ts'
import { PgqError } from './errors.ts'
import { Events } from './events.ts'
import { HookList, type Hooks } from './hooks.ts'
import type { JobRecord } from './job/job.ts'
import type { QueueLimits } from './job/limits.ts'
import type { AnyQueue, InputOf } from './job/queue.ts'
import { makeDays } from './maintenance/make-days.ts'
import { createMaintenance } from './maintenance/create-maintenance.ts'
import { Calls } from './runtime/calls.ts'
import { runGuarded } from './store/guarded-transaction.ts'
import type { WorkerReport } from './store/fleet-reader.ts'
import type { Backlog, JobCount, JobSizes } from './store/job-reader.ts'
import type { QueueSurvey } from './store/queue-reader.ts'
import { checkSchema, migrate, type MigrationReport, migrationSql } from './store/migrator.ts'
import type { Transaction } from './store/queryable.ts'
import type { Handler } from './worker/handler.ts'
import type { WorkerDeps } from './worker/worker-deps.ts'
import { Worker } from './worker/worker.ts'
import type { WorkerOptions } from './worker/worker-options.ts'

/**
 * Makes a queue on a PostgreSQL database. Nothing is connected before the first call.
 * @throws PgqError INVALID_OPTION
 */
export function createPgq(options: PgqOptions): Pgq {
  return new Pgq(options)
}

/** A job queue in one schema of one database. Make one with `createPgq`. */
export class Pgq {
  /** Everything that happens in this process: add listeners with `events.on`. */
  readonly events: Events = new Events()
  /** Schedules, which enqueue jobs by the clock: change them, look at them, run them now. */
  readonly schedules: Schedules
  readonly #hooks = new HookList(this.events)
  readonly #parts: Parts
  readonly #workers = new Set<Worker>()
  readonly #calls = new Calls(() => new PgqError('CLOSED', 'this pgq was closed'))
  #closing: Promise<void> | undefined

  constructor(options: PgqOptions) {
    this.#parts = openParts(options, { events: this.events, hooks: this.#hooks, calls: this.#calls })
    this.schedules = this.#parts.schedules
  }

  /** The schema that holds the queue. */
  get schema(): string {
    return this.#parts.tables.name
  }

  /**
   * Creates the schema or brings it up to date. Safe to call at every start and from many processes at once.
   * @throws PgqError SCHEMA_OCCUPIED, SCHEMA_TOO_NEW, MIGRATION_CHANGED, DATABASE_UNAVAILABLE, DATABASE_REJECTED
   */
  migrate(): Promise<MigrationReport> {
    return this.#calls.begin(async () => {
      const { database, tables } = this.#parts
      const report = await migrate(database, tables)
      await makeDays({ database, tables, events: this.events })
      return report
    })
  }

  /** The SQL that `migrate` runs on an empty database, to read it, or to run it with another tool. */
  migrationSql(): string {
    return migrationSql(this.#parts.tables)
  }

  /**
   * Checks that the schema is there and of a version that this package can work with.
   * @throws PgqError SCHEMA_MISSING, SCHEMA_TOO_OLD, SCHEMA_TOO_NEW, SCHEMA_OCCUPIED, DATABASE_UNAVAILABLE
   */
  check(): Promise<void> {
    return this.#calls.begin(() => checkSchema(this.#parts.database, this.#parts.tables))
  }

  /**
   * Writes one job. With `tx` it belongs to your transaction; without, it is committed when the promise resolves, and calls
   * that are made at the same time share a statement.
   * @throws PgqError INVALID_PAYLOAD, PAYLOAD_TOO_LARGE, INVALID_OPTION, INVALID_QUEUE, TRANSACTION_CLOSED, SCHEMA_MISSING, DATABASE_…
   */
  enqueue<Q extends AnyQueue>(
    queue: Q,
    payload: InputOf<Q>,
    options?: EnqueueOptions<InputOf<Q>>,
  ): Promise<EnqueueResult> {
    return this.#calls.begin(() => this.#parts.enqueuer.enqueue(queue, payload, options))
  }

  /**
   * Writes many jobs of one queue: all of them or none. The options go for each. Returns the results in the order of the payloads.
   * @throws PgqError as `enqueue`; the message and the issues say which payload
   */
  enqueueMany<Q extends AnyQueue>(
    queue: Q,
    payloads: Iterable<InputOf<Q>>,
    options?: EnqueueOptions<InputOf<Q>>,
  ): Promise<EnqueueResult[]> {
    return this.#calls.begin(() => this.#parts.enqueuer.enqueueMany(queue, payloads, options))
  }

  /**
   * Runs `work` in a transaction and commits when it resolves. Queries and enqueues that it did not await are waited for,
   * and later ones are refused with TRANSACTION_CLOSED.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#calls.begin(() => runGuarded(this.#parts.database, work))
  }

  /**
   * Does `work` once for each idempotency key: in the transaction `tx`, together with what it returns. A later call with the same key does
   * nothing and gets the same value. If the transaction rolls back nothing is remembered.
   * @throws PgqError IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_IN_USE, TRANSACTION_CLOSED, INVALID_OPTION, for an answer that JSON can't hold as well
   */
  once<T>(options: OnceOptions, work: () => Promise<T>): Promise<OnceAnswer<T>> {
    return this.#calls.begin(() => this.#parts.idempotency.once(options, work))
  }

  /**
   * One job, or null when there is none with that id.
   * @throws PgqError INVALID_ID
   */
  get(id: string): Promise<JobRecord | null> {
    return this.#calls.begin(() => this.#parts.inspector.get(id))
  }

  /** A page of the jobs that match, newest first. */
  list(options: ListOptions = {}): Promise<JobPage> {
    return this.#calls.begin(() => this.#parts.inspector.list(options))
  }

  /** How many of the jobs that match there are, by queue and status. It reads all it counts: name the statuses to leave a long history out. */
  counts(filter: JobFilter = {}): Promise<JobCount[]> {
    return this.#calls.begin(() => this.#parts.inspector.counts(filter))
  }

  /** Every queue that is known, and what it holds that has not been completed. Counts end at 10,000: it costs no more for a longer backlog. */
  queues(): Promise<QueueSurvey[]> {
    return this.#calls.begin(() => this.#parts.inspector.queues())
  }

  /**
   * About how many jobs there are in each state: those that wait or run are counted up to 10,000, and the rest comes from the statistics
   * that PostgreSQL keeps anyway, which lag by a second or so and are 0 for a while after a crash of the server. Exact figures are `counts`.
   */
  sizes(): Promise<JobSizes> {
    return this.#calls.begin(() => this.#parts.inspector.sizes())
  }

  /** How far behind the queues are: the age of the oldest due job of each queue that has one. Cheap, whatever the backlog. */
  backlog(options: { readonly queues?: readonly (AnyQueue | string)[] } = {}): Promise<Backlog[]> {
    return this.#calls.begin(() => this.#parts.inspector.backlog(options))
  }

  /** The workers that there are, on whatever machine, and how many jobs of which queues each has in hand. */
  workers(): Promise<WorkerReport[]> {
    return this.#calls.begin(() => this.#parts.inspector.workers())
  }

  /**
   * Says why a job stands where it does: why it does not run, where it runs, or how it has ended. Null when there is none with that id.
   * @throws PgqError INVALID_ID
   * @example
   * for (const { code, message } of (await pgq.explain(id))?.reasons ?? []) console.log(code, message)
   */
  explain(id: string): Promise<Explanation | null> {
    return this.#calls.begin(() => this.#parts.inspector.explain(id))
  }

  /**
   * Follows a job: yields it as it is, and again when it has changed, and ends after it has been completed, has died or was
   * cancelled, or when there is none with that id. Changes that follow each other fast may be shown as one.
   * @throws PgqError INVALID_ID, INVALID_OPTION; CLOSED when this pgq is closed meanwhile; the signal's reason
   * @example
   * for await (const job of pgq.watch(id)) console.log(job.status, job.progress)
   */
  watch(id: string, options: WatchOptions = {}): AsyncIterableIterator<JobRecord> {
    this.#calls.assertOpen()
    return this.#parts.watcher.watch(id, options)
  }

  /**
   * Stops jobs for good, waiting or running. Wherever one runs its signal aborts within a second, and nothing that it still
   * writes about the job is accepted. Returns how many were stopped.
   * @throws PgqError INVALID_ID, INVALID_OPTION
   */
  cancel(target: JobTarget, options: CancelOptions = {}): Promise<number> {
    return this.#calls.begin(async () => this.#parts.controller.cancel(target, options))
  }

  /** Makes waiting jobs due now, and starts dead and cancelled ones again with all their attempts. Returns how many. */
  retry(target: JobTarget, options: ControlOptions = {}): Promise<number> {
    return this.#calls.begin(() => this.#parts.controller.retry(target, options))
  }

  /** Moves dead jobs back to wait, with all their attempts again. `redrive({})` means every dead job. Returns how many. */
  redrive(target: JobTarget, options: ControlOptions = {}): Promise<number> {
    return this.#calls.begin(() => this.#parts.controller.redrive(target, options))
  }

  /**
   * Pauses a queue for all workers, durably: once this resolves nothing of it is claimed until it is resumed. Running jobs go
   * on. Returns whether it was not paused before.
   * @throws PgqError INVALID_QUEUE, INVALID_OPTION
   */
  pause(queue: AnyQueue | string, options: { readonly reason?: string } = {}): Promise<boolean> {
    return this.#calls.begin(() => this.#parts.queues.pause(queue, options))
  }

  /** Resumes a paused queue and wakes idle workers. Returns whether it was paused. */
  resume(queue: AnyQueue | string): Promise<boolean> {
    return this.#calls.begin(() => this.#parts.queues.resume(queue))
  }

  /**
   * Changes the limits of a queue for all workers, in place of those that it has. They stay until they are changed again, or
   * until a worker starts whose definition declares others than were declared last. `{}` lifts them all.
   * @throws PgqError INVALID_QUEUE, INVALID_OPTION
   */
  setLimits(queue: AnyQueue | string, limits: QueueLimits): Promise<void> {
    return this.#calls.begin(() => this.#parts.queues.setLimits(queue, limits))
  }

  /**
   * Claims nothing of a queue, or of one of its groups, for a while: `holdBack(mails, { group: 'acme', for: '30s' })`.
   * @throws PgqError INVALID_QUEUE, INVALID_OPTION
   */
  holdBack(queue: AnyQueue | string, options: HoldOptions): Promise<void> {
    return this.#calls.begin(() => this.#parts.queues.holdBack(queue, options))
  }

  /** Deletes jobs that are not running. Returns how many. */
  delete(target: JobTarget, options: ControlOptions = {}): Promise<number> {
    return this.#calls.begin(() => this.#parts.controller.delete(target, options))
  }

  /**
   * Looks for what makes a queue slow or unsafe (the schema, vacuum, the xmin horizon and who holds it back, bloat, partitions, workers,
   * a pooler, the clocks) and says what to do about it. It changes nothing, and opens two connections of its own besides.
   * @throws PgqError INVALID_OPTION, DATABASE_…
   */
  diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
    return this.#calls.begin(() => this.#parts.doctor.diagnose(options))
  }

  /**
   * Makes a worker for some queues; `start` sets it to work.
   * @throws PgqError INVALID_OPTION, DUPLICATE_HANDLER
   */
  createWorker(handlers: readonly Handler[], options: WorkerOptions = {}): Worker {
    const { connection, maxPayloadBytes, retention } = this.#parts.settings
    const shared = { tables: this.#parts.tables, events: this.events, hooks: this.#hooks }
    const deps: WorkerDeps = {
      ...shared,
      connection,
      maxPayloadBytes,
      isClosed: () => this.#closing !== undefined,
      createMaintenance: (needs) => createMaintenance({ ...needs, ...shared, retention }),
    }
    const worker = new Worker(deps, handlers, options)
    this.#workers.add(worker)
    return worker
  }

  /** Runs code around the enqueues and attempts of this process. Returns the function that ends it. */
  use(hooks: Hooks): () => void {
    return this.#hooks.add(hooks)
  }

  /** Stops the workers, finishes enqueues that are under way, and closes the connections that are its own. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** Handlers that the workers wait for may still enqueue; then nobody may begin anything. */
  async #close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop()))
    this.#calls.close()
    await this.#parts.watcher.close()
    await this.#calls.settled()
    await this.#parts.database.close()
  }
}
