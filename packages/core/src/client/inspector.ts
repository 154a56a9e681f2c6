import { knownOptions } from '../runtime/options.ts'
import type { JobRecord } from '../job/job.ts'
import type { AnyQueue } from '../job/queue.ts'
import type { Database } from '../store/database.ts'
import { type Backlog, type JobCount, JobReader } from '../store/job-reader.ts'
import type { Tables } from '../sql/statement.ts'
import { QueueReader, type QueueSummary } from '../store/queue-reader.ts'
import { filterParams, type JobFilter, jobId, type ListOptions, nameOf, pageParams } from './filter.ts'

/** A page of jobs, newest first. */
export interface JobPage {
  readonly jobs: readonly JobRecord[]
  /** Give it to the next call for the page after this one; undefined on the last page. */
  readonly cursor: string | undefined
}

/** Looks at jobs and changes nothing. */
export class Inspector {
  readonly #database: Database
  readonly #reader: JobReader
  readonly #queues: QueueReader

  constructor(deps: { database: Database; tables: Tables }) {
    this.#database = deps.database
    this.#reader = new JobReader(deps.tables)
    this.#queues = new QueueReader(deps.tables)
  }

  async get(id: string): Promise<JobRecord | null> {
    return this.#reader.get(this.#database, jobId('id', id))
  }

  async list(options: ListOptions): Promise<JobPage> {
    const params = pageParams(options)
    const found = await this.#reader.list(this.#database, { ...params, limit: params.limit + 1 })
    const jobs = found.slice(0, params.limit)
    return { jobs, cursor: found.length > jobs.length ? jobs.at(-1)?.id : undefined }
  }

  async counts(filter: JobFilter): Promise<JobCount[]> {
    return this.#reader.count(this.#database, filterParams('counts', filter))
  }

  async queues(): Promise<QueueSummary[]> {
    return this.#queues.list(this.#database)
  }

  async backlog(options: { readonly queues?: readonly (AnyQueue | string)[] }): Promise<Backlog[]> {
    knownOptions('backlog', options, ['queues'])
    return this.#reader.backlog(this.#database, options.queues?.map(nameOf) ?? null)
  }
}
