import { knownOptions } from '../runtime/options.ts'
import type { JobRecord } from '../job/job.ts'
import type { AnyQueue } from '../job/queue.ts'
import type { Database } from '../store/database.ts'
import { type Backlog, type JobCount, JobReader, type JobSizes } from '../store/job-reader.ts'
import { FleetReader, type WorkerReport } from '../store/fleet-reader.ts'
import { QueueReader, type QueueSurvey } from '../store/queue-reader.ts'
import type { Tables } from '../sql/statement.ts'
import { type Explanation, explanation } from './explanation.ts'
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
  readonly #fleet: FleetReader

  constructor(deps: { database: Database; tables: Tables }) {
    this.#database = deps.database
    this.#reader = new JobReader(deps.tables)
    this.#queues = new QueueReader(deps.tables)
    this.#fleet = new FleetReader(deps.tables)
  }

  async get(id: string): Promise<JobRecord | null> {
    return this.#reader.get(this.#database, jobId('id', id))
  }

  async list(options: ListOptions): Promise<JobPage> {
    const { limit, ...params } = pageParams(options)
    const found = await this.#reader.list(this.#database, { ...params, limit: limit + 1 })
    const jobs = found.slice(0, limit)
    return { jobs, cursor: found.length > jobs.length ? jobs.at(-1)?.id : undefined }
  }

  async counts(filter: JobFilter): Promise<JobCount[]> {
    return this.#reader.count(this.#database, filterParams('counts', filter))
  }

  async queues(): Promise<QueueSurvey[]> {
    return this.#queues.survey(this.#database)
  }

  async sizes(): Promise<JobSizes> {
    return this.#reader.sizes(this.#database)
  }

  async workers(): Promise<WorkerReport[]> {
    return this.#fleet.list(this.#database)
  }

  async explain(id: string): Promise<Explanation | null> {
    return explanation(await this.#fleet.explain(this.#database, jobId('id', id)))
  }

  async backlog(options: { readonly queues?: readonly (AnyQueue | string)[] }): Promise<Backlog[]> {
    knownOptions('backlog', options, ['queues'])
    return this.#reader.backlog(this.#database, options.queues?.map(nameOf) ?? null)
  }
}
