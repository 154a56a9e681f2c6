import { explainJob, listWorkers, type WorkerRow } from '../sql/read-workers.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'

/** A worker, as everybody can see it in the database. */
export interface WorkerReport {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly pid: number
  /** The queues that it has handlers for. */
  readonly queues: readonly string[]
  /** How many handlers it runs at once, at most. */
  readonly concurrency: number
  /** `late` when its lease has run out and nobody has declared it lost yet: it has died, or can't reach the database. */
  readonly state: 'alive' | 'late'
  readonly startedAt: Date
  readonly heartbeatAt: Date
  readonly leaseUntil: Date
  /** What it has in hand: running, or claimed to be started within moments. */
  readonly running: readonly {
    readonly queue: string
    readonly jobs: number
    /** When the one was claimed that it has had longest. */
    readonly since: Date
  }[]
}

/** One reason, as the database gives it. */
export interface ReasonRow {
  readonly code: string
  readonly message: string
  readonly details: { readonly [key: string]: unknown }
}

/** Looks at who works, and at how a job stands with them. */
export class FleetReader {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = { list: listWorkers(tables), explain: explainJob(tables) }
  }

  async list(session: Session): Promise<WorkerReport[]> {
    return (await session.run(this.#statements.list, undefined)).map(workerReport)
  }

  /** Nothing when there is no such job. */
  async explain(session: Session, id: string): Promise<ReasonRow[]> {
    const rows = await session.run(this.#statements.explain, { id })
    return rows.map(({ code, message, details }) => ({ code, message, details: JSON.parse(details) }))
  }
}

function workerReport(row: WorkerRow): WorkerReport {
  const running: readonly { queue: string; jobs: number; sinceMs: number }[] = JSON.parse(row.running)
  return {
    id: row.id,
    name: row.name,
    hostname: row.hostname,
    pid: Number(row.pid),
    queues: JSON.parse(row.queues),
    concurrency: Number(row.concurrency),
    state: row.state as WorkerReport['state'],
    startedAt: new Date(Number(row.started_ms)),
    heartbeatAt: new Date(Number(row.heartbeat_ms)),
    leaseUntil: new Date(Number(row.lease_ms)),
    running: running.map(({ queue, jobs, sinceMs }) => ({ queue, jobs, since: new Date(sinceMs) })),
  }
}
