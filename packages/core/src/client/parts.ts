import type { Events } from '../events.ts'
import type { HookList } from '../hooks.ts'
import type { Calls } from '../runtime/calls.ts'
import { type Tables, tablesIn } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import { Controller } from './controller.ts'
import { Doctor } from './diagnosis/doctor.ts'
import { Enqueuer } from './enqueuer.ts'
import { HookedEnqueuer } from './hooked-enqueuer.ts'
import { Idempotency } from './idempotency.ts'
import { Inspector } from './inspector.ts'
import { openDatabase } from './open-database.ts'
import { type PgqOptions, type PgqSettings, pgqSettings } from './pgq-options.ts'
import { QueueControl } from './queue-control.ts'
import { Schedules } from './schedules.ts'
import { Watcher } from './watcher.ts'

/** What a queue consists of: each part answers some of its calls. */
export interface Parts {
  readonly settings: PgqSettings
  readonly tables: Tables
  readonly database: Database
  readonly enqueuer: HookedEnqueuer
  readonly inspector: Inspector
  readonly controller: Controller
  readonly queues: QueueControl
  readonly idempotency: Idempotency
  readonly watcher: Watcher
  readonly doctor: Doctor
  readonly schedules: Schedules
}

/**
 * Makes the parts. Nothing is connected before the first call.
 * @throws PgqError INVALID_OPTION
 */
export function openParts(
  options: PgqOptions,
  { events, hooks, calls }: { events: Events; hooks: HookList; calls: Calls },
): Parts {
  const settings = pgqSettings(options)
  const { maxPayloadBytes, connection } = settings
  const tables = tablesIn(settings.schema)
  const database = openDatabase(settings)
  const shared = { database, tables, events }
  return {
    settings,
    tables,
    database,
    enqueuer: new HookedEnqueuer(new Enqueuer({ ...shared, maxPayloadBytes }), hooks),
    inspector: new Inspector(shared),
    controller: new Controller(shared),
    queues: new QueueControl(shared),
    idempotency: new Idempotency(shared),
    watcher: new Watcher(shared),
    doctor: new Doctor({ ...shared, connection }),
    schedules: new Schedules({ ...shared, maxPayloadBytes, call: (work) => calls.begin(work) }),
  }
}
