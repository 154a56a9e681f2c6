import { PgqError, show } from '../errors.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { flagOption, knownOptions, textOption } from '../runtime/options.ts'
import { JOB_STATUSES, type JobStatus, hasEnded } from './status.ts'

/** The name of a field of a payload, or of one inside of it, with dots between the names: `'customer.id'`. */
export type FieldOf<Input> = unknown extends Input
  ? string
  : Input extends object
    ? (keyof Input & string) | `${keyof Input & string}.${string}`
    : never

/** What a waiting job can take over from a newer one. */
export type Replaceable = 'payload' | 'scheduledFor' | 'priority'

/** What happens when the key of a new job is held by another. */
export type OnConflict =
  | 'skip'
  | 'replace'
  | { readonly replace: readonly Replaceable[] }
  | { readonly debounce: Duration; readonly maxWait: Duration }

/** When two jobs of a queue are the same, and what then happens to the newer one. */
export interface UniqueOptions<Input = unknown> {
  /** The key, 1 to 500 characters, or what makes it from the payload. One of `key` and `fields`. */
  readonly key?: string | ((payload: Input) => string)
  /** Fields of the payload that make the key; `'*'` for the whole payload. At least one of them must be there. */
  readonly fields?: '*' | readonly FieldOf<Input>[]
  /**
   * The statuses of an earlier job that are in the way of a new one; `pending` is always among them. Those of jobs that have ended
   * count within the `period`.
   * @default pending, processing, failed; without processing for `replace`, `debounce` and `serial`; with completed for a `period`
   */
  readonly statuses?: readonly JobStatus[]
  /** How long after it was enqueued a job holds its key, even when it has ended. @default no longer than it waits and runs */
  readonly period?: Duration
  /**
   * `'skip'`: the new job is left out. `'replace'`: a job that waits takes over its payload, time and priority, or those that are named.
   * `debounce`: it takes over the payload and is put off again by so long, but never beyond `maxWait` after it was first enqueued.
   * @default 'skip'
   */
  readonly onConflict?: OnConflict
  /**
   * Jobs with the same key never run at the same time: at most one waits while another runs, and is held back until that has ended.
   * @default true for `replace` and `debounce` where `processing` isn't in the way, else false
   */
  readonly serial?: boolean
}

// oxlint-disable-next-line typescript/no-explicit-any -- of any queue at all
type AnyUniqueOptions = UniqueOptions<any>

/** Checked `UniqueOptions`, ready for the database. */
export interface UniqueRule {
  readonly key: string | ((payload: never) => string) | undefined
  /** Paths; `['*']` for the whole payload. */
  readonly fields: readonly string[] | undefined
  /** JSON text, where there is more to say than the key. */
  readonly rulesText: string | undefined
}

const REPLACEABLE: { readonly [Name in Replaceable]: string } = {
  payload: 'payload',
  scheduledFor: 'scheduled_for',
  priority: 'priority',
}
const MAX_KEY_LENGTH = 500

/**
 * Checks what makes jobs unique.
 * @param keyless whether the key may come from elsewhere
 * @throws PgqError INVALID_OPTION
 */
export function uniqueRule(what: string, options: AnyUniqueOptions, keyless = false): UniqueRule {
  knownOptions(what, options, ['key', 'fields', 'statuses', 'period', 'onConflict', 'serial'])
  const { key, fields } = options
  if (key !== undefined && fields !== undefined) refuse(`${what} has both key and fields: choose one`)
  if (key === undefined && fields === undefined && !keyless) refuse(`${what} needs a key or fields`)
  return {
    key:
      key === undefined || typeof key === 'function' ? key : textOption(`${what}.key`, key, MAX_KEY_LENGTH),
    fields: fields === undefined ? undefined : fieldNames(`${what}.fields`, fields),
    rulesText: rulesText(what, options),
  }
}

/**
 * Checks a key.
 * @throws PgqError INVALID_OPTION
 */
export const uniqueKeyText = (option: string, value: unknown): string =>
  textOption(option, value, MAX_KEY_LENGTH)

/**
 * Refuses a payload that has none of the fields: its key would be that of all others without them.
 * @throws PgqError INVALID_OPTION
 */
export function assertFields(queue: string, fields: readonly string[], payload: unknown): void {
  if (fields[0] === '*' || fields.some((path) => valueAt(payload, path) !== undefined)) return
  refuse(`the payload for queue ${JSON.stringify(queue)} has none of the unique fields ${fields.join(', ')}`)
}

function valueAt(payload: unknown, path: string): unknown {
  let value = payload
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

function fieldNames(what: string, fields: unknown): readonly string[] {
  if (fields === '*') return ['*']
  if (!Array.isArray(fields) || fields.length === 0 || fields.includes('*'))
    refuse(`${what} is ${show(fields)}: it must be '*' or a list of names of fields`)
  const names = (fields as unknown[]).map((name) => textOption(what, name, MAX_KEY_LENGTH))
  return [...new Set(names)].toSorted()
}

function rulesText(what: string, options: AnyUniqueOptions): string | undefined {
  const { statuses, period, serial } = options
  const conflict = conflictRules(`${what}.onConflict`, options.onConflict ?? 'skip')
  const rules = {
    ...(statuses !== undefined && { statuses: statusNames(`${what}.statuses`, statuses, period) }),
    ...(period !== undefined && { period_ms: durationMs(`${what}.period`, period, { min: 1 }) }),
    ...conflict,
    ...(serial !== undefined && { serial: flagOption(`${what}.serial`, serial) }),
  }
  if (serial === true && statuses?.includes('processing'))
    refuse(`${what} is serial: jobs wait behind one that is processing, so leave that out of statuses`)
  return Object.keys(rules).length === 0 ? undefined : JSON.stringify(rules)
}

function statusNames(what: string, statuses: unknown, period: unknown): readonly JobStatus[] {
  if (!Array.isArray(statuses) || !statuses.every((status) => JOB_STATUSES.includes(status)))
    refuse(`${what} is ${show(statuses)}: it must be a list of ${JOB_STATUSES.join(', ')}`)
  const names = statuses as readonly JobStatus[]
  if (!names.includes('pending')) refuse(`${what} must include pending: every job begins so`)
  const ended = names.find(hasEnded)
  if (ended !== undefined && period === undefined)
    refuse(`${what} has ${ended}: jobs that have ended hold their key for a period, so give one`)
  return names
}

function conflictRules(what: string, onConflict: OnConflict): object {
  if (onConflict === 'skip') return {}
  if (onConflict === 'replace') return { replace: Object.values(REPLACEABLE) }
  if (typeof onConflict !== 'object' || onConflict === null)
    refuse(
      `${what} is ${show(onConflict)}: it must be 'skip', 'replace', { replace: […] } or { debounce, maxWait }`,
    )
  if ('replace' in onConflict) {
    knownOptions(what, onConflict, ['replace'])
    return { replace: replacedNames(`${what}.replace`, onConflict.replace) }
  }
  knownOptions(what, onConflict, ['debounce', 'maxWait'])
  const debounce = durationMs(`${what}.debounce`, onConflict.debounce, { min: 1 })
  return {
    debounce_ms: debounce,
    max_wait_ms: durationMs(`${what}.maxWait`, onConflict.maxWait, { min: debounce }),
  }
}

function replacedNames(what: string, names: unknown): readonly string[] {
  const known = Object.keys(REPLACEABLE)
  if (!Array.isArray(names) || names.length === 0 || !names.every((name) => known.includes(name)))
    refuse(`${what} is ${show(names)}: it must be a list of ${known.join(', ')}`)
  return (names as readonly Replaceable[]).map((name) => REPLACEABLE[name])
}

function refuse(message: string): never {
  throw new PgqError('INVALID_OPTION', message)
}
