import { PgqError, show } from '../errors.ts'
import type { JobStatus } from '../job/status.ts'
import { cancelJobs, deleteJobs, hastenJobs, redriveJobs } from '../sql/control-jobs.ts'
import type { Statement, Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import { JobReader } from '../store/job-reader.ts'
import { filterParams, type JobFilter, jobId, type JobTarget } from './filter.ts'

type ControlStatement = Statement<readonly string[], { readonly id: string }>

/** How many jobs one statement changes: row locks are held only that long. */
const BATCH = 1_000

/** Changes jobs from outside. Every call takes one id, several, or a filter, and returns how many jobs it changed. */
export class Controller {
  readonly #database: Database
  readonly #reader: JobReader
  readonly #statements

  constructor(deps: { database: Database; tables: Tables }) {
    this.#database = deps.database
    this.#reader = new JobReader(deps.tables)
    this.#statements = {
      cancel: cancelJobs(deps.tables),
      hasten: hastenJobs(deps.tables),
      redrive: redriveJobs(deps.tables),
      delete: deleteJobs(deps.tables),
    }
  }

  cancel(target: JobTarget): Promise<number> {
    return this.#change(
      'cancel',
      target,
      [this.#statements.cancel],
      ['blocked', 'pending', 'processing', 'failed'],
    )
  }

  /** Waiting jobs become due now, dead and cancelled ones start again: a job is in one of the two places only. */
  retry(target: JobTarget): Promise<number> {
    const both = [this.#statements.hasten, this.#statements.redrive]
    return this.#change('retry', target, both, ['pending', 'failed', 'dead', 'cancelled'])
  }

  redrive(target: JobTarget): Promise<number> {
    return this.#change('redrive', target, [this.#statements.redrive], ['dead'])
  }

  delete(target: JobTarget): Promise<number> {
    if (isFilter(target) && Object.values(target).every((value) => value === undefined)) {
      throw new PgqError(
        'INVALID_OPTION',
        'delete was given an empty filter, which means every job: name a queue or a status',
      )
    }
    return this.#change(
      'delete',
      target,
      [this.#statements.delete],
      ['blocked', 'pending', 'failed', 'completed', 'dead', 'cancelled'],
    )
  }

  async #change(
    what: string,
    target: JobTarget,
    statements: readonly ControlStatement[],
    statuses: JobStatus[],
  ): Promise<number> {
    let changed = 0
    for await (const ids of this.#targets(what, target, statuses)) {
      for (const statement of statements) changed += (await this.#database.run(statement, ids)).length
    }
    return changed
  }

  /** The ids that are meant, a sorted batch at a time. A filter walks forward, so it ends even while jobs come and go. */
  async *#targets(what: string, target: JobTarget, statuses: JobStatus[]): AsyncGenerator<string[]> {
    if (!isFilter(target)) {
      const ids = [...new Set(idList(target).map((id) => jobId('id', id)))].toSorted()
      for (let i = 0; i < ids.length; i += BATCH) yield ids.slice(i, i + BATCH)
      return
    }
    const params = filterParams(what, target, BATCH)
    const wanted = params.statuses ?? statuses
    const wrong = wanted.find((status) => !statuses.includes(status as JobStatus))
    if (wrong !== undefined) {
      throw new PgqError(
        'INVALID_OPTION',
        `${what} does nothing to jobs that are ${show(wrong)}: it changes ${statuses.join(', ')}`,
      )
    }
    let after: string | null = null
    for (;;) {
      const ids: string[] = await this.#reader.findIds(this.#database, { ...params, statuses: wanted, after })
      if (ids.length > 0) yield ids
      after = ids.at(-1) ?? null
      if (ids.length < BATCH) return
    }
  }
}

function isFilter(target: JobTarget): target is JobFilter {
  if (typeof target === 'string' || Array.isArray(target)) return false
  if (typeof target === 'object' && target !== null) return true
  throw new PgqError('INVALID_OPTION', `${show(target)} is not a job id, a list of them, or a filter`)
}

const idList = (target: string | readonly string[]): readonly string[] =>
  typeof target === 'string' ? [target] : target
