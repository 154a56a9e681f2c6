import type { JobStatus } from '../job/status.ts'
import { electLeader, resignLeader } from '../sql/leader.ts'
import { adoptOrphans, rescueJobs, wakeQueues } from '../sql/rescue-jobs.ts'
import type { Tables } from '../sql/statement.ts'
import {
  type WorkerParams,
  forgetWorkers,
  loseWorkers,
  registerWorker,
  removeWorker,
  renewLease,
  suspectWorkers,
} from '../sql/workers.ts'
import type { Session } from './database.ts'

/** A job that was taken back from a lost worker. */
export interface RescuedJob {
  readonly id: string
  readonly queue: string
  readonly status: JobStatus
}

/** The statements about workers: their leases, who leads, and what becomes of the jobs of lost ones. */
export class WorkerStore {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = {
      register: registerWorker(tables),
      renew: renewLease(tables),
      remove: removeWorker(tables),
      suspect: suspectWorkers(tables),
      lose: loseWorkers(tables),
      forget: forgetWorkers(tables),
      rescue: rescueJobs(tables),
      adopt: adoptOrphans(tables),
      wake: wakeQueues(tables),
      elect: electLeader(tables),
      resign: resignLeader(tables),
    }
  }

  async register(session: Session, worker: WorkerParams): Promise<void> {
    await session.run(this.#statements.register, worker)
  }

  /** Returns false when the worker was declared lost. */
  async renewLease(session: Session, id: string, leaseMs: number, listening: boolean): Promise<boolean> {
    return (await session.run(this.#statements.renew, { id, leaseMs, listening })).length > 0
  }

  /** Returns false when jobs are still in the worker's name. */
  async remove(session: Session, id: string): Promise<boolean> {
    return (await session.run(this.#statements.remove, { id })).length > 0
  }

  /** Suspects the workers whose lease has run out. */
  async suspectExpired(session: Session): Promise<void> {
    await session.run(this.#statements.suspect, undefined)
  }

  /** Declares lost who has been suspected for so long, and has not renewed. Returns their ids. */
  async loseSuspects(session: Session, suspicionMs: number): Promise<string[]> {
    return (await session.run(this.#statements.lose, { suspicionMs })).map((worker) => worker.id)
  }

  async rescue(session: Session, limit: number): Promise<RescuedJob[]> {
    const rows = await session.run(this.#statements.rescue, { limit })
    return rows.map((row) => ({ id: row.id, queue: row.queue_name, status: row.status as JobStatus }))
  }

  /** Returns how many unknown holders of claims were found. */
  async adoptOrphans(session: Session): Promise<number> {
    return (await session.run(this.#statements.adopt, undefined)).length
  }

  async forgetLost(session: Session, afterMs: number): Promise<void> {
    await session.run(this.#statements.forget, { afterMs })
  }

  async wake(session: Session, queues: readonly string[]): Promise<void> {
    if (queues.length > 0) await session.run(this.#statements.wake, queues)
  }

  /** Returns whether the worker leads. */
  async elect(session: Session, workerId: string, termMs: number): Promise<boolean> {
    return (await session.run(this.#statements.elect, { workerId, termMs })).length > 0
  }

  async resign(session: Session, workerId: string): Promise<void> {
    await session.run(this.#statements.resign, { workerId })
  }
}
