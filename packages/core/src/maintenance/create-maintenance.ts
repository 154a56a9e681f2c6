import type { Events } from '../events.ts'
import type { Service } from '../runtime/service.ts'
import type { Tables } from '../sql/statement.ts'
import { AnswerStore } from '../store/answer-store.ts'
import type { Database } from '../store/database.ts'
import { HistoryStore } from '../store/history-store.ts'
import { ScheduleStore } from '../store/schedule-store.ts'
import { WorkerStore } from '../store/worker-store.ts'
import { Historian } from './historian.ts'
import { Leader } from './leader.ts'
import { ModestDatabase } from './modest-database.ts'
import { Rescuer } from './rescuer.ts'
import { Scheduler } from './scheduler.ts'

/** Makes what the elected leader does in one worker: rescue, partitions and retention, schedules. */
export function createMaintenance(deps: {
  readonly tables: Tables
  readonly events: Events
  readonly retention: { readonly completedMs: number; readonly deadMs: number }
  readonly database: Database
  readonly workerId: () => string
  readonly leaseMs: number
  readonly reachableMs: () => number
}): Service {
  const { tables, events, retention, workerId, leaseMs, reachableMs } = deps
  const store = new WorkerStore(tables)
  const database = new ModestDatabase(deps.database, Math.min(1_000, leaseMs / 10))
  const rescuer = new Rescuer({ database, store, events, leaseMs, reachableMs })
  const historian = new Historian({
    database,
    events,
    store: new HistoryStore(tables),
    answers: new AnswerStore(tables),
    retention,
  })
  const schedules = new ScheduleStore(tables)
  const scheduler = new Scheduler({ database, events, store: schedules, lookMs: leaseMs / 6 })
  const tasks = [rescuer, historian, scheduler]
  return new Leader({ database: deps.database, store, events, workerId, termMs: leaseMs / 2, tasks })
}
