import {
  countStrayCompleted,
  examineWorkers,
  lookForDays,
  lookForLeader,
  measureTables,
} from '../sql/diagnose-schema.ts'
import { findHolders, type HolderRow, readClock, readServer } from '../sql/diagnose-server.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'

/** The settings of the server that the promises rest on. */
export interface ServerHealth {
  /** The major version, as in 18. */
  readonly major: number
  readonly isStandby: boolean
  readonly autovacuum: boolean
  readonly fsync: boolean
  readonly synchronousCommit: string
  /** Whether the role may see what other sessions do. */
  readonly seesAll: boolean
}

/** A table, with what statistics say of it. */
export interface TableHealth {
  readonly name: string
  readonly settings: readonly string[]
  readonly bytes: number
  readonly liveRows: number
  readonly deadRows: number
  readonly rowBytes: number
  readonly vacuumedAt: Date | null
  readonly indexes: readonly { readonly name: string; readonly bytes: number; readonly valid: boolean }[]
}

/** Who keeps dead rows from being removed. */
export interface HorizonHolder {
  readonly kind: HolderRow['kind']
  readonly name: string
  readonly owner: string | null
  readonly state: string | null
  readonly query: string | null
  readonly transactions: number
  readonly heldMs: number | null
}

/** A worker, or somebody unknown who holds jobs. */
export interface WorkerHealth {
  readonly id: string
  readonly name: string | null
  readonly state: 'alive' | 'late' | 'lost' | 'unknown'
  readonly isListening: boolean
  readonly queues: readonly string[]
  readonly lateMs: number | null
  readonly jobs: number
}

/** The partitions of the completed history. */
export interface DaysHealth {
  readonly missing: readonly string[]
  readonly ahead: number
  readonly strayJobs: number
}

/** Looks at the health of the schema and of the server around it, and changes nothing. */
export class HealthReader {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = {
      server: readServer(),
      holders: findHolders(),
      clock: readClock(),
      tables: measureTables(tables),
      days: lookForDays(tables),
      strays: countStrayCompleted(tables),
      workers: examineWorkers(tables),
      leader: lookForLeader(tables),
    }
  }

  async server(session: Session): Promise<ServerHealth> {
    const [row] = await session.run(this.#statements.server, undefined)
    return {
      major: Math.floor(Number(row?.version) / 10_000),
      isStandby: row?.standby === 'true',
      autovacuum: row?.autovacuum === 'on' && row.track_counts === 'on',
      fsync: row?.fsync === 'on',
      synchronousCommit: row?.synchronous_commit ?? '',
      seesAll: row?.sees_all === 'true',
    }
  }

  async holders(session: Session): Promise<HorizonHolder[]> {
    const rows = await session.run(this.#statements.holders, undefined)
    return rows.map(({ kind, name, owner, state, query, age, held_ms: held }) => ({
      kind,
      name,
      owner,
      state,
      query,
      transactions: Number(age),
      heldMs: held === null ? null : Number(held),
    }))
  }

  /** What the database's clock says, in ms since 1970. */
  async clock(session: Session): Promise<number> {
    return Number((await session.run(this.#statements.clock, undefined))[0]?.now_ms)
  }

  async tables(session: Session): Promise<TableHealth[]> {
    const rows = await session.run(this.#statements.tables, undefined)
    return rows.map((row) => ({
      name: row.name,
      settings: JSON.parse(row.settings),
      bytes: Number(row.bytes),
      liveRows: Number(row.live_rows),
      deadRows: Number(row.dead_rows),
      rowBytes: Number(row.row_bytes),
      vacuumedAt: row.vacuumed_ms === null ? null : new Date(Number(row.vacuumed_ms)),
      indexes: JSON.parse(row.indexes),
    }))
  }

  /** @param limit how many stray jobs are counted, at the most */
  async days(session: Session, daysAhead: number, limit: number): Promise<DaysHealth> {
    const days = await session.run(this.#statements.days, { daysAhead })
    const missing = days.filter((row) => row.present !== 'true').map((row) => row.day)
    const [stray] = await session.run(this.#statements.strays, { limit })
    return { missing, ahead: days.length - missing.length - 1, strayJobs: Number(stray?.jobs) }
  }

  async workers(session: Session): Promise<WorkerHealth[]> {
    const rows = await session.run(this.#statements.workers, undefined)
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      state: row.state,
      isListening: row.listening === 'true',
      queues: JSON.parse(row.queues),
      lateMs: row.late_ms === null ? null : Number(row.late_ms),
      jobs: Number(row.jobs),
    }))
  }

  async hasLeader(session: Session): Promise<boolean> {
    return (await session.run(this.#statements.leader, undefined))[0]?.leads === 'true'
  }
}
