import type { Events } from '../events.ts'
import type { HookList } from '../hooks.ts'
import type { Service } from '../runtime/service.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import type { ConnectionConfig } from '../store/pg-connection.ts'

/** What a worker needs from outside. */
export interface WorkerDeps {
  readonly connection: ConnectionConfig
  readonly tables: Tables
  readonly events: Events
  readonly hooks: HookList
  readonly maxPayloadBytes: number
  /** Whether the queue that the worker belongs to was closed. */
  readonly isClosed: () => boolean
  /** Makes what the elected leader does: rescue, partitions, retention. */
  readonly createMaintenance: (deps: MaintenanceDeps) => Service
}

/** What maintenance needs of the worker that it runs in. */
interface MaintenanceDeps {
  readonly database: Database
  readonly workerId: () => string
  readonly leaseMs: number
  readonly reachableMs: () => number
}
