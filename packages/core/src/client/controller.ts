import { isPgqError, PgqError, show } from '../errors.ts'
import type { JobStatus } from '../job/status.ts'
import { cancelJobs, deleteJobs, hastenJobs, lockJobs, redriveJobs } from '../sql/control-jobs.ts'
import { functionOption, knownOptions, textOption } from '../runtime/options.ts'
import type { Statement, Tables } from '../sql/statement.ts'
import type { Database, TransactionSession } from '../store/database.ts'
import { JobReader } from '../store/job-reader.ts'
import { filterParams, type JobFilter, jobId, type JobTarget } from './filter.ts'

type ControlStatement = Statement<readonly string[], { readonly id: string }>

/** A thing to do to jobs. */
interface Action {
  readonly name: string
  /** Those that it does something to. */
  readonly statuses: readonly JobStatus[]
  /** What does it; each changes what the others leave alone. */
  readonly statements: readonly ControlStatement[]
}

/** How jobs are changed. */
export interface ControlOptions {
  /** Called after each batch of up to 1,000 jobs, which is committed then, with how many jobs have been changed so far. */
  readonly onProgress?: (changed: number) => void
}

/** How jobs are cancelled. */
export interface CancelOptions extends ControlOptions {
  /** Why: it becomes the `error` of the job, and stands in the message of `ctx.signal.reason`. 1 to 1,000 characters. @default none */
  readonly reason?: string
}

/** The longest reason, in characters. */
const MAX_REASON = 1_000
/** How many jobs one transaction changes: row locks are held only that long. */
const BATCH = 1_000
/** How often a batch is tried again that met a conflict with somebody else. */
const CONFLICT_RETRIES = 5
/** How often to look for a job that may be on its way from one partition to another: it cannot move often in so short a time. */
const LOOKS = 3

/** Changes jobs from outside. Every call takes one id, several, or a filter, and returns how many jobs it changed. */
export class Controller {
  readonly #database: Database
  readonly #tables: Tables
  readonly #reader: JobReader
  readonly #lock
  readonly #actions

  constructor(deps: { database: Database; tables: Tables }) {
    const { tables } = deps
    this.#database = deps.database
    this.#tables = tables
    this.#reader = new JobReader(tables)
    this.#lock = lockJobs(tables)
    this.#actions = {
      // Waiting jobs become due now, dead and cancelled ones start again.
      retry: action(
        'retry',
        ['pending', 'failed', 'dead', 'cancelled'],
        hastenJobs(tables),
        redriveJobs(tables),
      ),
      redrive: action('redrive', ['dead'], redriveJobs(tables)),
      delete: action('delete', ['pending', 'failed', 'completed', 'dead', 'cancelled'], deleteJobs(tables)),
    }
  }

  cancel(target: JobTarget, options: CancelOptions): Promise<number> {
    knownOptions('cancel', options, ['reason', 'onProgress'])
    const { reason } = options
    const statement = cancelJobs(
      this.#tables,
      reason === undefined ? undefined : textOption('reason', reason, MAX_REASON),
    )
    const cancel = action('cancel', ['pending', 'processing', 'failed'], statement)
    return this.#change(cancel, notEverything('cancel', target), options)
  }

  async retry(target: JobTarget, options: ControlOptions): Promise<number> {
    knownOptions('retry', options, ['onProgress'])
    return this.#change(this.#actions.retry, notEverything('retry', target), options)
  }

  async redrive(target: JobTarget, options: ControlOptions): Promise<number> {
    knownOptions('redrive', options, ['onProgress'])
    return this.#change(this.#actions.redrive, () => target, options)
  }

  async delete(target: JobTarget, options: ControlOptions): Promise<number> {
    knownOptions('delete', options, ['onProgress'])
    return this.#change(this.#actions.delete, notEverything('delete', target), options)
  }

  async #change(what: Action, checked: () => JobTarget, { onProgress }: ControlOptions): Promise<number> {
    if (onProgress !== undefined) functionOption('onProgress', onProgress)
    const target = checked()
    let changed = 0
    for await (const { ids, statuses } of this.#targets(what, target)) {
      changed += await this.#apply(what, ids, statuses)
      onProgress?.(changed)
    }
    return changed
  }

  /** Locks a batch, sees how the jobs stand then, and changes those that are meant: a job may have moved on meanwhile. */
  async #apply(what: Action, ids: readonly string[], statuses: readonly JobStatus[]): Promise<number> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#database.transaction(async (session) => {
          const locked = await this.#lockAll(session, ids)
          const meant = locked
            .filter((job) => statuses.includes(job.status as JobStatus))
            .map((job) => job.id)
          let changed = 0
          for (const statement of what.statements) changed += (await session.run(statement, meant)).length
          return changed
        })
      } catch (error) {
        if (tries >= CONFLICT_RETRIES || !isConflict(error)) throw error
      }
    }
  }

  /**
   * A job that was claimed or settled while its row was waited for is in another partition by now: it is looked for again.
   * The locks of the first look are given back before that, for it may stand before those that are held, and locks that are
   * not taken in the order of the ids make deadlocks.
   */
  async #lockAll(
    session: TransactionSession,
    ids: readonly string[],
  ): Promise<readonly { id: string; status: string }[]> {
    await session.execute('SAVEPOINT before_locks')
    for (let looks = 1; ; looks++) {
      const locked = await session.run(this.#lock, ids)
      if (locked.length === ids.length || looks === LOOKS) return locked
      await session.execute('ROLLBACK TO SAVEPOINT before_locks')
    }
  }

  /** The ids that are meant, a sorted batch at a time. A filter walks forward, so it ends even while jobs come and go. */
  async *#targets(
    what: Action,
    target: JobTarget,
  ): AsyncGenerator<{ ids: string[]; statuses: readonly JobStatus[] }> {
    if (!isFilter(target)) {
      const ids = [...new Set(idList(target).map((id) => jobId('id', id)))].toSorted()
      for (let i = 0; i < ids.length; i += BATCH)
        yield { ids: ids.slice(i, i + BATCH), statuses: what.statuses }
      return
    }
    const params = filterParams(what.name, target, BATCH)
    const statuses = (params.statuses ?? what.statuses) as readonly JobStatus[]
    const wrong = statuses.find((status) => !what.statuses.includes(status))
    if (wrong !== undefined) {
      throw new PgqError(
        'INVALID_OPTION',
        `${what.name} does nothing to jobs that are ${show(wrong)}: it changes ${what.statuses.join(', ')}`,
      )
    }
    let after: string | null = null
    for (;;) {
      const ids: string[] = await this.#reader.findIds(this.#database, { ...params, statuses, after })
      if (ids.length > 0) yield { ids, statuses }
      after = ids.at(-1) ?? null
      if (ids.length < BATCH) return
    }
  }
}

const action = (name: string, statuses: readonly JobStatus[], ...statements: ControlStatement[]): Action => ({
  name,
  statuses,
  statements,
})

/** A key that somebody took at that moment is a conflict too: on the second look it is seen. */
const isConflict = (error: unknown): boolean =>
  isPgqError(error, 'DATABASE_CONFLICT') || (isPgqError(error) && error.sqlState === '23505')

/** Refuses an empty filter, which is a slip more often than it is meant. */
function notEverything(what: string, target: JobTarget): () => JobTarget {
  return () => {
    if (!isFilter(target) || Object.values(target).some((value) => value !== undefined)) return target
    throw new PgqError(
      'INVALID_OPTION',
      `${what} was given an empty filter, which means every job: name a queue or a status`,
    )
  }
}

function isFilter(target: JobTarget): target is JobFilter {
  if (typeof target === 'string' || Array.isArray(target)) return false
  if (typeof target === 'object' && target !== null) return true
  throw new PgqError('INVALID_OPTION', `${show(target)} is not a job id, a list of them, or a filter`)
}

const idList = (target: string | readonly string[]): readonly string[] =>
  typeof target === 'string' ? [target] : target
