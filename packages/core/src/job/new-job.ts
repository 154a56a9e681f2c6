import { PgqError, show } from '../errors.ts'
import { type BackoffSpec, backoffOption } from '../retry/backoff.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { integerOption, knownOptions, numberOption, textOption } from '../runtime/options.ts'
import type { Metadata } from './job.ts'
import { encodePayload } from './payload.ts'
import {
  type AnyQueue,
  MAX_ATTEMPTS_LIMIT,
  MAX_COST,
  MAX_TIMEOUT_MS,
  PRIORITY_MAX,
  PRIORITY_MIN,
} from './queue.ts'
import { assertFields, type UniqueOptions, type UniqueRule, uniqueKeyText, uniqueRule } from './unique.ts'

/** What may be said of one job when it is enqueued. */
export interface JobOptions<Input = unknown> {
  /** Runs the job no sooner than this long after the call. Not together with `scheduledFor`. */
  readonly delay?: Duration
  /** Runs the job no sooner than this moment. Not together with `delay`. */
  readonly scheduledFor?: Date
  /** Lower goes first, -32768 to 32767. @default the queue's */
  readonly priority?: number
  /** 1 to 1,000,000. @default the queue's */
  readonly maxAttempts?: number
  /** A spec; a function cannot be stored with a job, so it belongs into the queue's definition. @default the queue's */
  readonly backoff?: BackoffSpec
  /** How long an attempt may take, 1 ms to 24 days. @default the queue's */
  readonly timeout?: Duration
  /** The key of this job, 1 to 500 characters. Unless `unique` says more, at most one job with it waits or runs in the queue at a time. */
  readonly uniqueKey?: string
  /** When this job is the same as another, and what then happens; `false` for never. @default the queue's */
  readonly unique?: UniqueOptions<Input> | false
  /**
   * The group that it waits in, 1 to 500 characters; null for none. Groups take turns, and may have limits of their own.
   * @default what the `group` of the queue's definition says of the payload
   */
  readonly group?: string | null
  /** What it takes of the rates of its queue and group, 0 to 1,000,000. @default what the queue's `cost` says, or 1 */
  readonly cost?: number
  /** Plain data stored beside the payload: trace context, tenant, who asked. */
  readonly metadata?: Metadata
}

// oxlint-disable-next-line typescript/no-explicit-any -- of any queue at all
export type AnyJobOptions = JobOptions<any>

/** The names of `JobOptions`. */
const JOB_OPTIONS: readonly (keyof JobOptions)[] = [
  'delay',
  'scheduledFor',
  'priority',
  'maxAttempts',
  'backoff',
  'timeout',
  'uniqueKey',
  'unique',
  'group',
  'cost',
  'metadata',
]

/** A job on its way in: the fields of `pgq.enqueue_many`, with the payload still as JSON text. */
export interface NewJob {
  readonly id: string
  readonly payloadText: string
  /** The other fields as JSON text, without braces. */
  readonly fields: string
}

/**
 * Turns the options of one call into the fields that every one of its jobs shares, as JSON text without braces.
 * @throws PgqError INVALID_OPTION
 */
export function jobFields(queue: AnyQueue, options: AnyJobOptions): string {
  // Most calls say nothing of the job, and a queue never changes.
  if (JOB_OPTIONS.some((name) => options[name] !== undefined)) return fieldsText(queue, options)
  const known = defaultFields.get(queue) ?? fieldsText(queue, options)
  defaultFields.set(queue, known)
  return known
}

/** The fields of jobs that are enqueued without options. */
const defaultFields = new WeakMap<AnyQueue, string>()

function fieldsText(queue: AnyQueue, options: AnyJobOptions): string {
  const priority = integerOption('priority', options.priority ?? queue.priority, PRIORITY_MIN, PRIORITY_MAX)
  const maxAttempts = integerOption(
    'maxAttempts',
    options.maxAttempts ?? queue.maxAttempts,
    1,
    MAX_ATTEMPTS_LIMIT,
  )
  const fields: Record<string, unknown> = { queue: queue.name, max_attempts: maxAttempts }
  if (priority !== 0) fields['priority'] = priority
  if (options.delay !== undefined && options.scheduledFor !== undefined) {
    throw new PgqError('INVALID_OPTION', 'delay and scheduledFor were both given: choose one')
  }
  if (options.delay !== undefined) fields['delay_ms'] = durationMs('delay', options.delay)
  if (options.scheduledFor !== undefined)
    fields['scheduled_for'] = instant('scheduledFor', options.scheduledFor)
  if (options.backoff !== undefined) fields['backoff'] = storedBackoff(options.backoff)
  if (options.timeout !== undefined)
    fields['timeout_ms'] = durationMs('timeout', options.timeout, { min: 1, max: MAX_TIMEOUT_MS })
  const unique = uniqueRuleOf(queue, options)
  if (typeof unique?.key === 'string') fields['unique_key'] = unique.key
  if (unique?.fields !== undefined) fields['unique_fields'] = unique.fields
  if (options.group !== undefined && options.group !== null) fields['group_key'] = groupOption(options.group)
  if (options.cost !== undefined) fields['cost'] = costOption(options.cost)
  const rules = unique?.rulesText === undefined ? '' : `,"unique_rules":${unique.rulesText}`
  const text = JSON.stringify(fields).slice(1, -1) + rules
  return options.metadata === undefined ? text : `${text},"metadata":${metadataText(queue, options.metadata)}`
}

/**
 * What makes the jobs of one call unique: the options of the call, else the queue's.
 * @throws PgqError INVALID_OPTION
 */
export function uniqueRuleOf(queue: AnyQueue, options: AnyJobOptions): UniqueRule | undefined {
  const { uniqueKey, unique } = options
  if (uniqueKey === undefined && unique === undefined) return queue.unique
  if (uniqueKey === undefined) return unique === false ? undefined : uniqueRule('unique', unique ?? {})
  const key = uniqueKeyText('uniqueKey', uniqueKey)
  if (unique === undefined) return { key, fields: undefined, rulesText: queue.unique?.rulesText }
  const rule = unique === false ? undefined : uniqueRule('unique', unique, true)
  if (rule === undefined || rule.key !== undefined || rule.fields !== undefined)
    throw new PgqError(
      'INVALID_OPTION',
      `uniqueKey was given, and unique says ${rule ? 'another key' : 'there is none'}: choose one`,
    )
  return { ...rule, key }
}

/**
 * The fields of one job of a call: with the key that its payload makes, where that is done by a function.
 * @param stored the payload as it is stored
 * @throws PgqError INVALID_OPTION
 */
export function withKey(
  fields: string,
  queue: AnyQueue,
  unique: UniqueRule | undefined,
  payload: unknown,
  stored: unknown,
): string {
  if (unique?.fields !== undefined) assertFields(queue.name, unique.fields, stored)
  if (typeof unique?.key !== 'function') return fields
  const key = uniqueKeyText('what unique.key returned', unique.key(payload as never))
  return `${fields},"unique_key":${JSON.stringify(key)}`
}

/**
 * The fields of one job: those that all of the call share, and what the definition of the queue says of its payload.
 * @param payload as it was given to `enqueue`
 * @throws PgqError INVALID_OPTION when `group` or `cost` of the definition gives something that cannot be stored
 */
export function fieldsFor(queue: AnyQueue, shared: string, options: AnyJobOptions, payload: unknown): string {
  let fields = shared
  if (queue.group !== undefined && options.group === undefined) {
    const group: unknown = queue.group(payload)
    if (group !== undefined && group !== null) fields += `,"group_key":${JSON.stringify(groupOption(group))}`
  }
  if (queue.cost !== undefined && options.cost === undefined) {
    const cost = costOption(typeof queue.cost === 'function' ? queue.cost(payload) : queue.cost)
    if (cost !== 1) fields += `,"cost":${cost}`
  }
  return fields
}

const groupOption = (value: unknown): string => textOption('group', value, 500)

const costOption = (value: unknown): number => numberOption('cost', value, 0, MAX_COST)

/** Refuses unknown options by name, so that a typing mistake is not a job that runs at once. */
export function assertJobOptions(what: string, options: object, alsoKnown: readonly string[]): void {
  knownOptions(what, options, [...JOB_OPTIONS, ...alsoKnown])
}

/** The whole job as one JSON object. */
export function jobText(job: NewJob): string {
  return `{"id":"${job.id}",${job.fields},"payload":${job.payloadText}}`
}

function instant(option: string, value: unknown): string {
  if (value instanceof Date && !Number.isNaN(value.getTime())) {
    const year = value.getUTCFullYear()
    if (year >= 1 && year <= 9999) return value.toISOString()
  }
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${show(value)}: it must be a valid Date between the years 1 and 9999`,
  )
}

function storedBackoff(value: unknown): BackoffSpec {
  const backoff = backoffOption(value)
  if (typeof backoff !== 'function') return backoff
  throw new PgqError(
    'INVALID_OPTION',
    'backoff of one job cannot be a function, which a row cannot hold: put it into defineQueue',
  )
}

const MAX_METADATA_BYTES = 65_536

function metadataText(queue: AnyQueue, metadata: unknown): string {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new PgqError('INVALID_OPTION', `metadata is ${show(metadata)}: it must be a plain object`)
  }
  try {
    const { text } = encodePayload(queue.name, metadata, MAX_METADATA_BYTES)
    if (text.startsWith('{')) return text
    throw new TypeError(`as JSON it is ${text}, which is no object`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PgqError('INVALID_OPTION', `metadata cannot be stored: ${why}`, { cause: error })
  }
}
