import type pg from 'pg'
import type { WorkerProcess } from './worker-process.ts'

/** The jobs that a process has in hand. */
const HELD_JOBS = `
SELECT count(*)::int AS held
FROM pgq_demo.jobs AS job
JOIN pgq_demo.workers AS worker ON worker.id = job.locked_by
WHERE job.status = 'processing' AND worker.pid = $1`

/** Kills a worker while it is at work, and watches what becomes of the jobs that it held. */
export class Crash {
  readonly #worker: WorkerProcess
  readonly #pool: pg.Pool
  #jobs = 0
  #killedMs: number | undefined
  #rescuedMs: number | undefined

  constructor(worker: WorkerProcess, pool: pg.Pool) {
    this.#worker = worker
    this.#pool = pool
  }

  /** Whether the worker has been killed. */
  get happened(): boolean {
    return this.#killedMs !== undefined
  }

  /** Kills the worker, if it holds any jobs at this moment. Returns whether it did. */
  async strike(): Promise<boolean> {
    if ((await this.#held()) === 0) return false
    this.#killedMs = performance.now()
    await this.#worker.kill()
    this.#jobs = await this.#held()
    return true
  }

  /** Looks after the jobs of the dead worker. Returns whether all of them have been rescued since the last look. */
  async look(): Promise<boolean> {
    if (!this.happened || this.#rescuedMs !== undefined || (await this.#held()) > 0) return false
    this.#rescuedMs = performance.now()
    return true
  }

  /** Tells what was done. */
  describe(): string {
    const { name, pid } = this.#worker
    return `${name} (process ${pid}) was killed with SIGKILL, while it held ${this.#jobs} jobs.`
  }

  /** Tells how it ended. */
  describeRescue(): string {
    const seconds = ((this.#rescuedMs ?? 0) - (this.#killedMs ?? 0)) / 1_000
    return `Its ${this.#jobs} jobs were rescued after ${seconds.toFixed(1)} s, when its lease of 2 s had run out (9 s by default).`
  }

  async #held(): Promise<number> {
    const { rows } = await this.#pool.query<{ held: number }>(HELD_JOBS, [this.#worker.pid])
    return rows[0]?.held ?? 0
  }
}
