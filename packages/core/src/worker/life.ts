import { randomUUID } from 'node:crypto'
import os from 'node:os'
import type pg from 'pg'
import { Listener } from '../notify/listener.ts'
import { patience, settledWithin } from '../runtime/clock.ts'
import type { Service } from '../runtime/service.ts'
import type { AnyQueue } from '../job/queue.ts'
import type { Database } from '../store/database.ts'
import { enforceLimits } from '../store/enforce-limits.ts'
import { JobStore } from '../store/job-store.ts'
import { checkSchema } from '../store/migrator.ts'
import { openClient, openPool } from '../store/pg-connection.ts'
import { PgDatabase } from '../store/pg-database.ts'
import { QueueStore } from '../store/queue-store.ts'
import { WorkerStore } from '../store/worker-store.ts'
import { leaseLost, workerStopping } from './abort-reasons.ts'
import { ClaimCheck } from './claim-check.ts'
import { Claimer } from './claimer.ts'
import type { Handler } from './handler.ts'
import { Heartbeat } from './heartbeat.ts'
import { PulseThread } from './pulse-thread.ts'
import { Runner } from './runner.ts'
import { ScheduleDeclaration } from './schedule-declaration.ts'
import { Settler } from './settler.ts'
import { Tally } from './tally.ts'
import { untilConnected } from './until-connected.ts'
import type { WorkerDeps } from './worker-deps.ts'
import type { WorkerSettings } from './worker-options.ts'

/** After signals were aborted, how long handlers have to end before their jobs are given back without them, in ms. */
const ABORT_WAIT_MS = 2_000
/** How long the last writes of a stop may take when the database does not answer, in ms. */
const LAST_WRITES_MS = 5_000
/** How long connections may take to close politely, in ms. */
const CLOSE_MS = 1_000
/** Claims find work for this long without a break before notifications are switched off, in ms. */
const BUSY_MS = 1_000

/**
 * One life of a worker, from start to stop: the parts, and how they are wired.
 *
 * It uses four connections whatever its concurrency: two for claiming, settling and maintenance, one for the heartbeat
 * alone, which nothing else can then hold up, and one that listens. They are its own, so that handlers which use up the
 * application's pool cannot starve it. Only transactional handlers take a connection each while they run.
 */
export class WorkerLife {
  workerId: string = randomUUID()
  readonly #deps: WorkerDeps
  readonly #handlers: readonly Handler[]
  readonly #settings: WorkerSettings
  readonly #control: Database
  readonly #pulse: Database
  readonly #jobs: JobStore
  readonly #workers: WorkerStore
  readonly #queueStore: QueueStore
  readonly #tally: Tally
  readonly #settler: Settler
  readonly #runner: Runner
  readonly #claimer: Claimer
  readonly #claimCheck: ClaimCheck
  readonly #heartbeat: Heartbeat
  readonly #listener: Listener | undefined
  readonly #maintenance: Service | undefined
  readonly #schedules: ScheduleDeclaration
  #transactions: Database | undefined
  #ending = false

  constructor(deps: WorkerDeps, handlers: readonly Handler[], settings: WorkerSettings) {
    this.#deps = deps
    this.#handlers = handlers
    this.#settings = settings
    const { events, tables, maxPayloadBytes } = deps
    const { leaseMs, maxBlockedMs, schedules } = settings
    const workerId = (): string => this.workerId
    this.#control = this.#open(2)
    this.#pulse = this.#open(1, leaseMs / 3)
    this.#jobs = new JobStore(tables)
    this.#workers = new WorkerStore(tables)
    this.#schedules = new ScheduleDeclaration(tables, schedules, maxPayloadBytes)
    this.#queueStore = new QueueStore(tables)
    const shared = { database: this.#control, store: this.#jobs, events, workerId }
    this.#tally = new Tally({ ...shared, tables })
    this.#settler = new Settler({
      ...shared,
      tally: this.#tally,
      onSettled: () => this.#onSettled(),
      onDelayed: (delayMs) => this.#claimer.wakeAfter(delayMs),
    })
    this.#runner = new Runner({
      ...shared,
      queues: this.#queueStore,
      hooks: deps.hooks,
      handlers,
      concurrency: settings.concurrency,
      settler: this.#settler,
      transactions: () => this.#openTransactions(),
      mayStart: () => !this.#ending && this.#heartbeat.isCurrent,
      onRoom: () => this.#claimer.wake(),
      onHeldBack: (queue, group) => this.#claimer.hold(queue, group),
    })
    this.#claimer = new Claimer({
      ...shared,
      runner: this.#runner,
      settler: this.#settler,
      pollMs: settings.pollMs,
      mayClaim: () => this.#heartbeat.isCurrent,
      isNotified: () => this.#listener?.isListening === true && this.#heartbeat.announcedListening,
      onIdle: () => {
        if (!this.#heartbeat.announcedListening) this.#heartbeat.wake()
      },
    })
    this.#claimCheck = new ClaimCheck({
      ...shared,
      database: this.#pulse,
      queues: this.#queueStore,
      runner: this.#runner,
      isNotified: () => this.#listener?.isListening === true,
      onHold: (queue, group) => this.#claimer.hold(queue, group),
    })
    this.#heartbeat = new Heartbeat({
      events,
      workerId,
      database: this.#pulse,
      store: this.#workers,
      leaseMs,
      isListening: () => this.#wantsNotifications(),
      onRenewed: () => {
        this.#claimer.wake()
        this.#claimCheck.lookAtAll()
      },
      onLost: () => this.#startAnew(),
      pulse: maxBlockedMs ? new PulseThread({ ...deps, workerId, leaseMs, maxBlockedMs }) : undefined,
    })
    if (settings.listen) this.#listener = this.#createListener()
    if (settings.maintenance) {
      const reachableMs = (): number => this.#heartbeat.reachableMs
      this.#maintenance = deps.createMaintenance({ database: this.#control, workerId, leaseMs, reachableMs })
    }
  }

  /** Begins to work; closes what it has opened if it can't. */
  async begin(): Promise<void> {
    try {
      await checkSchema(this.#control, this.#deps.tables)
      await this.#schedules.prepare()
      // Before anything is claimed: limits that come with a version hold for all that it claims.
      for (const { queue } of this.#handlers) await this.#declareLimits(queue)
      await untilConnected(() => this.#register())
    } catch (error) {
      await this.#close()
      throw error
    }
    this.#deps.events.emit('worker.started', { workerId: this.workerId, queues: this.#queues })
    for (const part of this.#parts) await part.start()
  }

  /** Ends the work in good order. What needs the database may take a few seconds in all, should there be none. */
  async end(): Promise<void> {
    const { events } = this.#deps
    const within = patience(LAST_WRITES_MS)
    events.emit('worker.stopping', { workerId: this.workerId })
    this.#ending = true
    this.#runner.close()
    await within(this.#claimer.stop())
    this.#runner.giveBack(this.#runner.drain())
    await this.#endRunning()
    if (!(await within(this.#settler.idle()))) this.#settler.abandon()
    await within(Promise.all(this.#parts.map((part) => part.stop())))
    // Jobs that are still in its name, because nothing could be written, are rescued when the lease has run out.
    await within(this.#workers.remove(this.#control, this.workerId))
    await this.#close()
    events.emit('worker.stopped', { workerId: this.workerId })
  }

  /** What it is doing. */
  get status(): 'running' | 'paused' | 'stopping' {
    if (this.#ending) return 'stopping'
    return this.#heartbeat.isCurrent ? 'running' : 'paused'
  }

  /** For how long claiming has made no progress while the database answers, in ms. */
  get stalledMs(): number {
    return this.#ending ? 0 : Math.min(this.#claimer.lateMs, this.#heartbeat.reachableMs)
  }

  get #queues(): string[] {
    return this.#handlers.map((handler) => handler.queue.name)
  }

  get #parts(): Service[] {
    return [
      this.#heartbeat,
      this.#listener,
      this.#claimer,
      this.#claimCheck,
      this.#maintenance,
      this.#tally,
    ].filter((part) => part !== undefined)
  }

  /** Connections that stay: opening one again after a quiet minute would delay the first job. */
  #open(connections: number, patienceMs?: number): Database {
    const limits = patienceMs === undefined ? {} : { connectionTimeoutMillis: patienceMs }
    const pool = openPool(this.#deps.connection, connections, { ...limits, idleTimeoutMillis: 0 })
    return new PgDatabase({
      pool,
      schema: this.#deps.tables.name,
      ours: true,
      ...(patienceMs && { patienceMs }),
    })
  }

  #openTransactions(): Database {
    const transactional = this.#handlers.filter((handler) => handler.transactional)
    const connections = transactional.reduce((sum, handler) => sum + handler.concurrency, 0)
    const pool = (): pg.Pool =>
      openPool(this.#deps.connection, Math.min(connections, this.#settings.concurrency))
    return (this.#transactions ??= new PgDatabase({
      pool: pool(),
      schema: this.#deps.tables.name,
      ours: true,
    }))
  }

  #createListener(): Listener {
    return new Listener({
      channel: this.#deps.tables.channel,
      database: this.#control,
      openClient: () => openClient(this.#deps.connection),
      events: this.#deps.events,
      onWake: (queue) => {
        // Whether notifications arrive has changed: say so, and look at the queues after it.
        if (queue === undefined) this.#heartbeat.wake()
        else this.#claimer.wakeFor(queue)
      },
      onHold: (queue, group) => this.#claimer.hold(queue, group),
      onCancel: (jobId) => this.#claimCheck.look(jobId),
    })
  }

  #onSettled(): void {
    if (this.#runner.isolating) this.#runner.startAll()
    this.#claimer.wakeIfFull()
    this.#claimer.wakeIfReturned()
  }

  async #register(): Promise<void> {
    // On the connection of the heartbeat: who has work in its name must be able to renew, also where connections are scarce.
    await this.#workers.register(this.#pulse, {
      id: this.workerId,
      name: this.#settings.name,
      hostname: os.hostname(),
      pid: process.pid,
      queues: this.#queues,
      concurrency: Math.min(
        this.#settings.concurrency,
        this.#handlers.reduce((sum, handler) => sum + handler.concurrency, 0),
      ),
      leaseMs: this.#settings.leaseMs,
    })
    await this.#schedules.declare(this.#control, this.workerId)
  }

  /** A worker that finds work wherever it looks needs no notifications, and producers need not pay for them. */
  #wantsNotifications(): boolean {
    return this.#listener !== undefined && this.#listener.isListening && this.#claimer.busyMs < BUSY_MS
  }

  async #declareLimits(queue: AnyQueue): Promise<void> {
    const isNew = await this.#queueStore.declare(this.#control, queue)
    if (isNew && (queue.limits?.concurrency ?? queue.limits?.groupConcurrency) != null)
      await enforceLimits(this.#control, this.#queueStore, queue.name)
  }

  /** Others have declared this worker lost, and its claims are void. */
  async #startAnew(): Promise<void> {
    const old = this.workerId
    const next = randomUUID()
    this.#runner.drain()
    const abortedJobs = this.#runner.abort(leaseLost(), (attempt) => attempt.workerId === old)
    this.workerId = next
    await this.#register()
    this.#deps.events.emit('worker.lost', { workerId: old, newWorkerId: next, abortedJobs })
  }

  async #endRunning(): Promise<void> {
    if (await settledWithin(this.#settings.shutdownMs, this.#runner.idle())) return
    this.#runner.abort(workerStopping())
    if (await settledWithin(ABORT_WAIT_MS, this.#runner.idle())) return
    this.#runner.release()
  }

  async #close(): Promise<void> {
    const databases = [this.#control, this.#pulse, this.#transactions].filter((one) => one !== undefined)
    await settledWithin(CLOSE_MS, Promise.all(databases.map((database) => database.close())))
    for (const database of databases) database.destroy()
  }
}
