import { PgqError, show } from '../errors.ts'
import { type AnyQueue, queueName } from '../job/queue.ts'
import { JOB_STATUSES, type JobStatus } from '../job/status.ts'
import { encodePayload } from '../job/payload.ts'
import { integerOption, knownOptions, textOption } from '../runtime/options.ts'
import type { FindParams } from '../sql/read-jobs.ts'

/** Which jobs are meant: those that match everything that is given. */
export interface JobFilter {
  /** A queue, or its name. */
  readonly queue?: AnyQueue | string
  /** One status or several. */
  readonly status?: JobStatus | readonly JobStatus[]
  readonly uniqueKey?: string
  /** What the payload must contain, as PostgreSQL's `@>` means it: `{ customer: { id: 7 } }`. */
  readonly payload?: unknown
  /** A part of the last error's message, in any case. */
  readonly error?: string
  readonly createdAfter?: Date
  readonly createdBefore?: Date
}

/** A page of a list. */
export interface ListOptions extends JobFilter {
  /** How many jobs, 1 to 1000. @default 100 */
  readonly limit?: number
  /** Where the page before ended: its `cursor`. */
  readonly cursor?: string
}

/** What control calls take: a job's id, several, or a filter. */
export type JobTarget = string | readonly string[] | JobFilter

const FILTER_OPTIONS = ['queue', 'status', 'uniqueKey', 'payload', 'error', 'createdAfter', 'createdBefore']
const MAX_CONDITION_BYTES = 1_048_576
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * The parameters of a page.
 * @throws PgqError INVALID_OPTION, INVALID_QUEUE
 */
export function pageParams(options: ListOptions): FindParams & { readonly limit: number } {
  knownOptions('list', options, [...FILTER_OPTIONS, 'limit', 'cursor'])
  return {
    ...conditions(options),
    after: options.cursor === undefined ? null : jobId('cursor', options.cursor),
    limit: integerOption('limit', options.limit ?? 100, 1, 1_000),
  }
}

/**
 * The parameters that find the jobs of a filter: a batch at a time, or all of them.
 * @throws PgqError INVALID_OPTION, INVALID_QUEUE
 */
export function filterParams(what: string, filter: JobFilter, limit: number | null = null): FindParams {
  knownOptions(what, filter, FILTER_OPTIONS)
  return { ...conditions(filter), after: null, limit }
}

/**
 * Checks an id.
 * @throws PgqError INVALID_ID
 */
export function jobId(option: string, value: unknown): string {
  if (typeof value === 'string' && UUID.test(value)) return value.toLowerCase()
  throw new PgqError('INVALID_ID', `${option} is ${show(value)}: it must be the id of a job, a UUID`)
}

/**
 * Checks statuses and makes a list of them.
 * @throws PgqError INVALID_OPTION
 */
function statusList(status: JobStatus | readonly JobStatus[]): JobStatus[] {
  const statuses: readonly JobStatus[] = typeof status === 'string' ? [status] : status
  const wrong = Array.isArray(statuses) ? statuses.find((one) => !JOB_STATUSES.includes(one)) : status
  if (wrong === undefined) return [...statuses]
  throw new PgqError('INVALID_OPTION', `status is ${show(wrong)}: there are ${JOB_STATUSES.join(', ')}`)
}

function conditions(filter: JobFilter): Omit<FindParams, 'after' | 'limit'> {
  return {
    ids: null,
    queue: filter.queue === undefined ? null : nameOf(filter.queue),
    statuses: filter.status === undefined ? null : statusList(filter.status),
    uniqueKey: filter.uniqueKey === undefined ? null : textOption('uniqueKey', filter.uniqueKey, 500),
    payload: filter.payload === undefined ? null : containedText(filter.payload),
    error: filter.error === undefined ? null : textOption('error', filter.error, 4_096),
    createdAfter: instant('createdAfter', filter.createdAfter),
    createdBefore: instant('createdBefore', filter.createdBefore),
  }
}

/** The name of a queue that was given as its definition or by name. */
export function nameOf(queue: AnyQueue | string): string {
  return queueName(typeof queue === 'object' && queue !== null ? queue.name : queue)
}

/** A condition that came to nothing, as `{ customer: undefined }` does, would match every job. */
function containedText(payload: unknown): string {
  let text: string
  try {
    text = encodePayload('any', payload, MAX_CONDITION_BYTES).text
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PgqError('INVALID_OPTION', `the payload to look for cannot be one: ${why}`, { cause: error })
  }
  const cameToNothing = (text === '{}' || text === '[]') && Object.keys(payload as object).length > 0
  if (!cameToNothing) return text
  throw new PgqError(
    'INVALID_OPTION',
    'nothing is left of the payload to look for, and it would match every job',
  )
}

function instant(option: string, value: unknown): string | null {
  if (value === undefined) return null
  if (value instanceof Date && value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999)
    return value.toISOString()
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${show(value)}: it must be a valid Date between the years 1 and 9999`,
  )
}
