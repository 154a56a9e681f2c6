import type { Events } from '../events.ts'
import type { Service } from '../runtime/service.ts'
import type { Tables } from '../sql/statement.ts'
import { AnswerStore } from '../store/answer-store.ts'
import type { Database } from '../store/database.ts'
import { HistoryStore } from '../store/history-store.ts'
import { KeyStore } from '../store/key-store.ts'
import { QueueStore } from '../store/queue-store.ts'
import { ScheduleStore } from '../store/schedule-store.ts'
import { WorkerStore } from '../store/worker-store.ts'
import { Historian, type HistorianDeps } from './historian.ts'
import { KeyKeeper } from './key-keeper.ts'
import { Leader } from './leader.ts'
import { ModestDatabase } from './modest-database.ts'
import { Rescuer } from './rescuer.ts'
import { Scheduler } from './scheduler.ts'

/** What maintenance needs from outside. */
interface MaintenanceNeeds {
  readonly database: Database
  readonly tables: Tables
  readonly events: Events
  readonly workerId: () => string
  readonly leaseMs: number
  /** For how long the worker has reached the database without a gap, in ms. */
  readonly reachableMs: () => number
  readonly retention: HistorianDeps['retention']
}

/** Makes what the elected leader does: rescue, unique keys, partitions, retention, schedules. */
export function createMaintenance(needs: MaintenanceNeeds): Service {
  const { database, tables, events, workerId, leaseMs, reachableMs, retention } = needs
  const store = new WorkerStore(tables)
  const modest = new ModestDatabase(database, Math.min(1_000, leaseMs / 10))
  const rescuer = new Rescuer({ database: modest, store, events, leaseMs, reachableMs })
  const historian = new Historian({
    database: modest,
    events,
    store: new HistoryStore(tables),
    answers: new AnswerStore(tables),
    queues: new QueueStore(tables),
    retention,
  })
  const scheduler = new Scheduler({
    database: modest,
    events,
    store: new ScheduleStore(tables),
    lookMs: leaseMs / 6,
  })
  const keeper = new KeyKeeper({
    database: modest,
    store: new KeyStore(tables),
    events,
    everyMs: leaseMs / 9,
  })
  const tasks = [rescuer, keeper, historian, scheduler]
  return new Leader({ database, store, events, workerId, termMs: leaseMs / 2, tasks })
}
