import { isPgqError } from '../errors.ts'
import { isStorableText } from '../runtime/options.ts'

/**
 * What a handler gives back or throws must always be recordable: a job that succeeded is never run again because its
 * result could not be stored, and a failure never gets lost because of its message. The functions in this file
 * therefore take any value at all and never throw.
 */

/** The longest message that is kept, in characters. */
const MAX_MESSAGE = 4_096
/** The longest stack that is kept, in characters. */
const MAX_STACK = 8_192
/** The largest result or progress that is kept, in characters of JSON. */
const MAX_RESULT = 1_048_576
const MAX_DEPTH = 200
const MAX_CAUSES = 5
const NO_MESSAGE = 'an error without a message'

/** An error as it is stored. */
export interface RecordedError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** A result as it is stored: JSON text, and a note when the value had to be changed to be stored. */
export interface RecordedValue {
  readonly json: string | null
  readonly problem?: string
}

/** Reads whatever was thrown. Of our own errors the code is the name: `JOB_TIMEOUT` says more than `PgqError`. */
export function recordError(thrown: unknown): RecordedError {
  const name =
    text(() => (isObject(thrown) ? thrown[isPgqError(thrown) ? 'code' : 'name'] : undefined)) ||
    (isObject(thrown) ? 'Error' : typeof thrown)
  const message =
    text(() => (isObject(thrown) ? thrown['message'] : String(thrown))) || describe(thrown) || NO_MESSAGE
  const stack = stackWithCauses(thrown)
  const recorded = { name: clip(name, 200), message: clip(message, MAX_MESSAGE) }
  return stack ? { ...recorded, stack: clip(stack, MAX_STACK) } : recorded
}

/** Turns a result or a progress value into JSON that PostgreSQL takes, changing as little as it can. */
export function recordValue(value: unknown): RecordedValue {
  if (value === undefined || value === null) return { json: null }
  const walk: Walk = { ancestors: [], changes: new Set(), values: 0 }
  let json: string | undefined
  try {
    json = JSON.stringify(storable(value, walk))
  } catch (error) {
    return { json: null, problem: `the result could not be stored: ${recordError(error).message}` }
  }
  if (json === undefined) return { json: null, problem: `the result could not be stored: ${describe(value)}` }
  if (json.length > MAX_RESULT) return { json: null, problem: tooLarge(`${json.length} characters of JSON`) }
  const changes = [...walk.changes].join(', ')
  return changes === '' ? { json } : { json, problem: `the result was changed to be stored: ${changes}` }
}

const tooLarge = (size: string): string => `the result was not stored: ${size}, more than ${MAX_RESULT}`

interface Walk {
  /** The objects that lead to the current place. */
  readonly ancestors: object[]
  readonly changes: Set<string>
  /** How many values were read: something small that refers to itself often can be enormous as JSON. */
  values: number
}

function storable(value: unknown, walk: Walk): unknown {
  if (++walk.values > MAX_RESULT) throw new RangeError(tooLarge(`${walk.values} values`))
  switch (typeof value) {
    case 'string':
      return storableText(value, walk.changes)
    case 'bigint':
      walk.changes.add('a BigInt became text')
      return value.toString()
    case 'number':
      if (!Number.isFinite(value)) walk.changes.add(`${value} became null`)
      return Number.isFinite(value) ? value : null
    case 'function':
    case 'symbol':
      walk.changes.add(`a ${typeof value} was left out`)
      return undefined
    case 'object':
      return value === null ? null : storableObject(value, walk)
    default:
      return value
  }
}

function storableObject(value: object, walk: Walk): unknown {
  const { ancestors, changes } = walk
  if (ancestors.includes(value) || ancestors.length >= MAX_DEPTH) {
    changes.add(ancestors.includes(value) ? 'a cycle was cut' : 'what was too deep was cut')
    return null
  }
  ancestors.push(value)
  const copy = storableCopy(value, walk)
  ancestors.pop()
  return copy
}

function storableCopy(value: object, walk: Walk): unknown {
  if ('toJSON' in value && typeof value.toJSON === 'function') return storable(value.toJSON(), walk)
  if (Array.isArray(value)) return storableArray(value, walk)
  if (value instanceof Map || value instanceof Set) {
    walk.changes.add(`a ${value.constructor.name} became an array`)
    return storableArray([...value], walk)
  }
  const entries: [string, unknown][] = Object.keys(value).map((key) => [
    storableText(key, walk.changes),
    storable((value as Record<string, unknown>)[key], walk),
  ])
  return Object.fromEntries(entries)
}

/** By index: an array's own `map` may be anybody's. */
function storableArray(value: readonly unknown[], walk: Walk): unknown[] {
  const copy: unknown[] = []
  for (let i = 0; i < value.length; i++) copy.push(storable(value[i], walk) ?? null)
  return copy
}

/** PostgreSQL stores neither NUL nor lone surrogates: both become U+FFFD. */
function storableText(value: string, changes?: Set<string>): string {
  if (isStorableText(value)) return value
  changes?.add('characters that PostgreSQL cannot store became U+FFFD')
  return value.toWellFormed().replaceAll('\0', '\uFFFD')
}

function stackWithCauses(thrown: unknown): string {
  const parts: string[] = []
  let error = thrown
  for (let depth = 0; depth < MAX_CAUSES && isObject(error); depth++) {
    const stack = text(() => (error as Record<string, unknown>)['stack'])
    if (stack) parts.push(clip(stack, MAX_STACK / 2))
    error = read(() => (error as Record<string, unknown>)['cause'])
  }
  return parts.join('\nCaused by: ')
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

function describe(thrown: unknown): string {
  if (!isObject(thrown)) return storableText(String(thrown))
  const json = text(() => JSON.stringify(thrown))
  return json && json !== '{}' ? clip(json, MAX_MESSAGE) : NO_MESSAGE
}

/** Reads a property that may be a getter that throws, and makes storable text of what it gives. */
function text(get: () => unknown): string {
  const value = read(get)
  return typeof value === 'string' ? storableText(clip(value, MAX_RESULT)) : ''
}

function read(get: () => unknown): unknown {
  try {
    return get()
  } catch {
    return undefined
  }
}

function clip(value: string, length: number): string {
  return value.length <= length ? value : `${value.slice(0, length - 1).toWellFormed()}…`
}
