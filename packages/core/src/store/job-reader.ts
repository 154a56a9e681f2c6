import type { AttemptError, JobRecord, Json, Metadata } from '../job/job.ts'
import type { JobStatus } from '../job/status.ts'
import {
  type FindParams,
  type JobRow,
  countJobs,
  findJobIds,
  getJob,
  getJobs,
  listJobs,
  jobSizes,
  oldestDue,
} from '../sql/read-jobs.ts'
import { jobVersions } from '../sql/watch-jobs.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'

/** How many jobs a queue has in one status. */
export interface JobCount {
  readonly queue: string
  readonly status: JobStatus
  readonly jobs: number
}

/** How far behind a queue is. */
export interface Backlog {
  readonly queue: string
  /** How long the oldest of its jobs has been due without being claimed, in ms by the database's clock. */
  readonly oldestDueMs: number
}

/** About how many jobs there are. */
export interface JobSizes {
  /** Pending and failed: due, or for later. */
  readonly waiting: number
  readonly processing: number
  readonly completed: number
  /** Dead and cancelled. */
  readonly dead: number
}

/** The statements that look and change nothing. */
export class JobReader {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = {
      get: getJob(tables),
      list: listJobs(tables),
      ids: findJobIds(tables),
      count: countJobs(tables),
      many: getJobs(tables),
      versions: jobVersions(tables),
      backlog: oldestDue(tables),
      sizes: jobSizes(tables),
    }
  }

  async get(session: Session, id: string): Promise<JobRecord | null> {
    const [row] = await session.run(this.#statements.get, { id })
    return row ? jobRecord(row) : null
  }

  async getMany(session: Session, ids: readonly string[]): Promise<JobRecord[]> {
    return (await session.run(this.#statements.many, { ids })).map(jobRecord)
  }

  /** Which version of each job there is; a job that is gone has none. */
  async versions(session: Session, ids: readonly string[]): Promise<Map<string, string>> {
    const rows = await session.run(this.#statements.versions, { ids })
    return new Map(rows.map((row) => [row.id, row.version]))
  }

  async backlog(session: Session, queues: readonly string[] | null): Promise<Backlog[]> {
    const rows = await session.run(this.#statements.backlog, { queues })
    return rows.map((row) => ({ queue: row.queue_name, oldestDueMs: Number(row.oldest_due_ms) }))
  }

  async sizes(session: Session): Promise<JobSizes> {
    const rows = await session.run(this.#statements.sizes, undefined)
    const of = (state: string): number => Number(rows.find((row) => row.state === state)?.jobs ?? 0)
    return {
      waiting: of('waiting'),
      processing: of('processing'),
      completed: of('completed'),
      dead: of('dead'),
    }
  }

  async list(session: Session, params: FindParams): Promise<JobRecord[]> {
    return (await session.run(this.#statements.list, params)).map(jobRecord)
  }

  async findIds(session: Session, params: FindParams): Promise<string[]> {
    return (await session.run(this.#statements.ids, params)).map((row) => row.id)
  }

  async count(session: Session, params: FindParams): Promise<JobCount[]> {
    const rows = await session.run(this.#statements.count, params)
    return rows.map((row) => ({
      queue: row.queue_name,
      status: row.status as JobStatus,
      jobs: Number(row.jobs),
    }))
  }
}

function jobRecord(row: JobRow): JobRecord {
  return {
    id: row.id,
    queue: row.queue_name,
    payload: JSON.parse(row.payload),
    status: row.status as JobStatus,
    priority: Number(row.priority),
    attempts: Number(row.attempts),
    maxAttempts: Number(row.max_attempts),
    fence: Number(row.fence),
    scheduledFor: new Date(Number(row.scheduled_ms)),
    createdAt: new Date(Number(row.created_ms)),
    startedAt: instant(row.started_ms),
    completedAt: instant(row.completed_ms),
    lockedBy: row.locked_by,
    uniqueKey: row.unique_key,
    group: row.group_key,
    error: row.error,
    errors: attemptErrors(row.errors),
    result: json(row.result),
    progress: json(row.progress) as Json | null,
    metadata: (json(row.metadata) ?? {}) as Metadata,
  }
}

/** Anything else than a list was written there by hand. */
function attemptErrors(text: string | null): AttemptError[] {
  const errors = json(text)
  return Array.isArray(errors) ? errors : []
}

const instant = (ms: string | null): Date | null => (ms === null ? null : new Date(Number(ms)))
const json = (text: string | null): unknown => (text === null ? null : JSON.parse(text))
