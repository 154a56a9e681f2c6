import { JOB_STATUSES, type JobFilter, type JobStatus } from '@pgq/core'
import { BadRequest } from './responses.ts'

/** The filter of a list, as it stands in its address. */
export interface JobQuery {
  readonly queue?: string
  readonly status?: readonly JobStatus[]
  /** JSON that the payload contains, `name:value`, or a part of its text. */
  readonly payload?: string
  readonly error?: string
  /** Times in ISO 8601. */
  readonly after?: string
  readonly before?: string
}

const NAMES = ['queue', 'status', 'payload', 'error', 'after', 'before']

/** Reads an address. */
export function queryOf(search: URLSearchParams): JobQuery {
  const text = (name: string): string | undefined => search.get(name)?.trim() || undefined
  const given = {
    queue: text('queue'),
    payload: text('payload'),
    error: text('error'),
    after: text('after'),
    before: text('before'),
  }
  const status = text('status')?.split(',') as JobStatus[] | undefined
  return withoutUndefined({ ...given, status })
}

/**
 * What core makes of it.
 * @throws BadRequest
 */
export function filterOf(query: unknown): JobFilter {
  if (typeof query !== 'object' || query === null || Array.isArray(query))
    throw new BadRequest('the filter must be an object')
  const { queue, status, payload, error, after, before } = query as Record<string, unknown>
  const unknown = Object.keys(query).find((name) => !NAMES.includes(name))
  if (unknown !== undefined) throw new BadRequest(`a filter has no ${JSON.stringify(unknown)}`)
  return withoutUndefined({
    queue: optionalText('queue', queue),
    status: statuses(status),
    error: optionalText('error', error),
    createdAfter: instant('after', after),
    createdBefore: instant('before', before),
    ...payloadCondition(optionalText('payload', payload)),
  })
}

/** `{"a": 1}` and `name:value` look into the payload, anything else for a part of its text. */
function payloadCondition(text: string | undefined): { payload?: unknown; payloadText?: string } {
  if (text === undefined) return {}
  if (/^[[{]/.test(text)) return { payload: parsed(text) }
  const named = /^([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)[:=](?!\/\/)\s*(\S.*)$/.exec(text)
  if (!named) return { payloadText: text }
  const [, path = '', value = ''] = named
  return { payload: nested(path.split('.'), literal(value)) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BadRequest(
      'the payload to look for is not JSON: {"customer": "ada"}, customer:ada, or a part of its text',
    )
  }
}

/** Numbers, booleans and null are themselves, quoted text too; anything else is text. */
function literal(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'number' && String(value) !== text ? text : value
  } catch {
    return text
  }
}

const nested = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight((inner, name) => Object.fromEntries([[name, inner]]), value)

function statuses(value: unknown): JobStatus[] | undefined {
  if (value === undefined) return undefined
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length > 0 && list.every((one) => JOB_STATUSES.includes(one as JobStatus)))
    return list as JobStatus[]
  throw new BadRequest(`status must be of ${JOB_STATUSES.join(', ')}`)
}

function optionalText(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value || undefined
  throw new BadRequest(`${name} must be text`)
}

function instant(name: string, value: unknown): Date | undefined {
  if (value === undefined || value === '') return undefined
  const date = new Date(typeof value === 'string' ? value : Number.NaN)
  if (!Number.isNaN(date.getTime())) return date
  throw new BadRequest(`${name} must be a time, as in 2026-11-25T14:00Z`)
}

/** Leaves out what was not given: the optional properties of core mean what they say. */
function withoutUndefined<T extends object>(value: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never
}
