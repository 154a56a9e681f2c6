import type pg from 'pg'
import { Controller } from './client/controller.ts'
import { type EnqueueOptions, Enqueuer, type EnqueueResult } from './client/enqueuer.ts'
import type { JobTarget, ListOptions } from './client/filter.ts'
import { Inspector, type JobPage } from './client/inspector.ts'
import { PgqError, show } from './errors.ts'
import { Events } from './events.ts'
import type { JobRecord } from './job/job.ts'
import type { AnyQueue, InputOf } from './job/queue.ts'
import type { JobStatus } from './job/status.ts'
import { Historian } from './maintenance/historian.ts'
import { Leader } from './maintenance/leader.ts'
import { Rescuer } from './maintenance/rescuer.ts'
import { type Duration, durationMs } from './runtime/duration.ts'
import { integerOption, isStorableText, knownOptions } from './runtime/options.ts'
import type { Service } from './runtime/service.ts'
import { type Tables, tablesIn } from './sql/statement.ts'
import type { Database } from './store/database.ts'
import { guardTransaction } from './store/guarded-transaction.ts'
import { HistoryStore } from './store/history-store.ts'
import type { JobCount } from './store/job-reader.ts'
import { checkSchema, migrate, type MigrationReport, migrationSql } from './store/migrator.ts'
import { configOf, type ConnectionConfig, openPool, PgDatabase } from './store/pg-database.ts'
import type { Queryable } from './store/queryable.ts'
import { WorkerStore } from './store/worker-store.ts'
import type { Handler } from './worker/handler.ts'
import type { MaintenanceDeps } from './worker/life.ts'
import { Worker } from './worker/worker.ts'
import type { WorkerOptions } from './worker/worker-options.ts'

/** What `createPgq` takes: `connectionString`, `connection` or `pool`, one of them. */
export interface PgqOptions {
  /** As in `postgres://user:password@host:5432/database`. */
  readonly connectionString?: string
  /** The same in parts, as `pg` takes it: host, ssl and so on. */
  readonly connection?: ConnectionConfig
  /** The application's own pool, which stays open after `close`. Workers open connections of their own with its settings. */
  readonly pool?: pg.Pool
  /** The schema that holds the queue: any name of 1 to 63 bytes. @default pgq */
  readonly schema?: string
  /** The largest payload, in bytes of JSON, 1 kB to 64 MB. @default 1048576, 1 MiB */
  readonly maxPayloadBytes?: number
  /** How long ended jobs are kept: completed ones 1 d to 100 y (whole days are dropped), dead and cancelled ones 0 to 100 y. @default 7d and 30d */
  readonly retention?: { readonly completed?: Duration; readonly dead?: Duration }
}

/** How many connections the pool has that is opened for a connection string. */
const POOL_SIZE = 10

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
  readonly #tables: Tables
  readonly #connection: ConnectionConfig
  readonly #database: Database
  readonly #retention: { readonly completedMs: number; readonly deadMs: number }
  readonly #enqueuer: Enqueuer
  readonly #inspector: Inspector
  readonly #controller: Controller
  readonly #workers = new Set<Worker>()
  #closing: Promise<void> | undefined

  constructor(options: PgqOptions) {
    knownOptions('createPgq', options, [
      'connectionString',
      'connection',
      'pool',
      'schema',
      'maxPayloadBytes',
      'retention',
    ])
    const { pool, config } = connectionOption(options)
    const maxPayloadBytes = integerOption(
      'maxPayloadBytes',
      options.maxPayloadBytes ?? 1_048_576,
      1_000,
      64_000_000,
    )
    this.#retention = retentionOption(options.retention ?? {})
    this.#tables = tablesIn(schemaOption(options.schema ?? 'pgq'))
    this.#connection = config
    this.#database = new PgDatabase(
      pool ?? openPool(config, POOL_SIZE),
      this.#tables.name,
      pool === undefined,
    )
    const shared = { database: this.#database, tables: this.#tables, events: this.events }
    this.#enqueuer = new Enqueuer({ ...shared, maxPayloadBytes })
    this.#inspector = new Inspector(shared)
    this.#controller = new Controller(shared)
  }

  /** The schema that holds the queue. */
  get schema(): string {
    return this.#tables.name
  }

  /**
   * Creates the schema or brings it up to date. Safe to call at every start and from many processes at once.
   * @throws PgqError SCHEMA_OCCUPIED, SCHEMA_TOO_NEW, MIGRATION_CHANGED, DATABASE_UNAVAILABLE, DATABASE_REJECTED
   */
  async migrate(): Promise<MigrationReport> {
    const report = await migrate(this.#database, this.#tables)
    await new HistoryStore(this.#tables).makeDays(this.#database)
    return report
  }

  /** The SQL that `migrate` runs on an empty database, to read it. */
  migrationSql(): string {
    return migrationSql(this.#tables)
  }

  /**
   * Checks that the schema is there and of a version that this package can work with.
   * @throws PgqError SCHEMA_MISSING, SCHEMA_TOO_OLD, SCHEMA_TOO_NEW, SCHEMA_OCCUPIED, DATABASE_UNAVAILABLE
   */
  async check(): Promise<void> {
    await checkSchema(this.#database, this.#tables)
  }

  /**
   * Writes one job. With `tx` it belongs to your transaction; without, it is committed when the promise resolves, and calls
   * that are made at the same time share a statement.
   * @throws PgqError INVALID_PAYLOAD, PAYLOAD_TOO_LARGE, INVALID_OPTION, INVALID_QUEUE, TRANSACTION_CLOSED, SCHEMA_MISSING, DATABASE_…
   */
  enqueue<Q extends AnyQueue>(
    queue: Q,
    payload: InputOf<Q>,
    options?: EnqueueOptions,
  ): Promise<EnqueueResult> {
    return this.#enqueuer.enqueue(queue, payload, options)
  }

  /**
   * Writes many jobs of one queue: all of them or none. The options go for each. Returns the results in the order of the payloads.
   * @throws PgqError as `enqueue`; the message and the issues say which payload
   */
  enqueueMany<Q extends AnyQueue>(
    queue: Q,
    payloads: Iterable<InputOf<Q>>,
    options?: EnqueueOptions,
  ): Promise<EnqueueResult[]> {
    return this.#enqueuer.enqueueMany(queue, payloads, options)
  }

  /**
   * Runs `work` in a transaction and commits when it resolves. Queries and enqueues that it did not await are waited for,
   * and later ones are refused with TRANSACTION_CLOSED.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#database.transaction(async (session) => {
      const guard = guardTransaction(session.queryable)
      try {
        const answer = await work(guard.tx)
        await guard.flush()
        return answer
      } finally {
        guard.close()
      }
    })
  }

  /** One job, or null when there is none with that id. */
  get(id: string): Promise<JobRecord | null> {
    return this.#inspector.get(id)
  }

  /** A page of the jobs that match, newest first. */
  list(options: ListOptions = {}): Promise<JobPage> {
    return this.#inspector.list(options)
  }

  /** How many jobs there are, by queue and status. It reads all it counts: name the statuses to leave a long history out. */
  counts(
    options: { readonly queue?: AnyQueue | string; readonly status?: JobStatus | readonly JobStatus[] } = {},
  ): Promise<JobCount[]> {
    return this.#inspector.counts(options)
  }

  /** Stops jobs for good, waiting or running; a running handler's signal aborts. Returns how many were stopped. */
  cancel(target: JobTarget): Promise<number> {
    return this.#controller.cancel(target)
  }

  /** Makes waiting jobs due now, and starts dead and cancelled ones again with all their attempts. Returns how many. */
  retry(target: JobTarget): Promise<number> {
    return this.#controller.retry(target)
  }

  /** Moves dead jobs back to wait, with all their attempts again. `redrive({})` means every dead job. Returns how many. */
  redrive(target: JobTarget): Promise<number> {
    return this.#controller.redrive(target)
  }

  /** Deletes jobs that are not running. Returns how many. */
  delete(target: JobTarget): Promise<number> {
    return this.#controller.delete(target)
  }

  /**
   * Makes a worker for some queues; `start` sets it to work.
   * @throws PgqError INVALID_OPTION, DUPLICATE_HANDLER
   */
  createWorker(handlers: readonly Handler[], options: WorkerOptions = {}): Worker {
    const { events } = this
    const worker = new Worker(
      {
        connection: this.#connection,
        tables: this.#tables,
        events,
        createMaintenance: (deps) => this.#createMaintenance(deps),
      },
      handlers,
      options,
    )
    this.#workers.add(worker)
    return worker
  }

  /** Stops the workers, finishes enqueues that are under way, and closes the connections that are its own. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop()))
    await this.#enqueuer.idle()
    await this.#database.close()
  }

  #createMaintenance({ database, workerId, leaseMs, reachableMs }: MaintenanceDeps): Service {
    const { events } = this
    const store = new WorkerStore(this.#tables)
    const rescuer = new Rescuer({ database, store, events, leaseMs, reachableMs })
    const historian = new Historian({
      database,
      events,
      store: new HistoryStore(this.#tables),
      retention: this.#retention,
    })
    return new Leader({ database, store, events, workerId, termMs: leaseMs / 2, tasks: [rescuer, historian] })
  }
}

function connectionOption({ connectionString, connection, pool }: PgqOptions): {
  pool: pg.Pool | undefined
  config: ConnectionConfig
} {
  const given = [connectionString, connection, pool].filter((option) => option !== undefined)
  if (given.length !== 1) {
    throw new PgqError(
      'INVALID_OPTION',
      `createPgq needs one of connectionString, connection and pool, and was given ${given.length} of them`,
    )
  }
  if (connectionString !== undefined) {
    if (typeof connectionString === 'string' && /^postgres(ql)?:\/\//.test(connectionString))
      return { pool: undefined, config: { connectionString } }
    throw new PgqError('INVALID_OPTION', 'connectionString must begin with postgres:// or postgresql://')
  }
  if (connection !== undefined) return { pool: undefined, config: connection }
  if (typeof pool?.connect !== 'function' || typeof pool.options !== 'object') {
    throw new PgqError('INVALID_OPTION', `pool is ${show(pool)}: it must be a Pool of pg`)
  }
  return { pool, config: configOf(pool) }
}

function schemaOption(schema: unknown): string {
  const ok =
    typeof schema === 'string' &&
    schema.length > 0 &&
    Buffer.byteLength(schema) <= 63 &&
    isStorableText(schema)
  if (ok && !schema.startsWith('pg_')) return schema
  throw new PgqError(
    'INVALID_OPTION',
    `schema is ${show(schema)}: it must be a name of 1 to 63 bytes that does not begin with pg_`,
  )
}

function retentionOption(retention: object & NonNullable<PgqOptions['retention']>): {
  completedMs: number
  deadMs: number
} {
  knownOptions('retention', retention, ['completed', 'dead'])
  return {
    completedMs: durationMs('retention.completed', retention.completed ?? '7d', { min: 86_400_000 }),
    deadMs: durationMs('retention.dead', retention.dead ?? '30d'),
  }
}
