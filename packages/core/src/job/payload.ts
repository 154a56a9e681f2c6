import { PgqError, show } from '../errors.ts'
import { isStorableText } from '../runtime/options.ts'
import { childPath } from './schema.ts'

/** A payload ready for the database. */
export interface EncodedPayload {
  /** The JSON text. */
  readonly text: string
  /** The same as plain data: what the handler will read back. */
  readonly value: unknown
}

/** Deeper values overflow somebody's stack sooner or later. */
const MAX_DEPTH = 200

/**
 * Turns a payload into JSON, and refuses what JSON or PostgreSQL would change or lose without a word: NUL and lone
 * surrogates, NaN and infinities, BigInt, functions, symbols, holes, class instances such as Map and Buffer, cycles.
 * Properties that are `undefined` are left out, as in JSON. Objects with a `toJSON` (a Date, a Decimal) are stored
 * as what it returns. Everything is read once, into a copy: what was checked is what is stored.
 * @throws PgqError INVALID_PAYLOAD with the path of the bad value, PAYLOAD_TOO_LARGE
 */
export function encodePayload(queue: string, payload: unknown, maxBytes: number): EncodedPayload {
  const walk: Walk = { queue, maxBytes, ancestors: [], values: 0 }
  if (payload === undefined) throw missing(queue)
  const value = readable(walk, () => plain(walk, payload, '$', ''))
  const text = JSON.stringify(value)
  const bytes = text.length > maxBytes / 4 ? Buffer.byteLength(text) : text.length
  if (bytes > maxBytes) throw tooLarge(walk, `has ${bytes} bytes`)
  return { text, value }
}

interface Walk {
  readonly queue: string
  readonly maxBytes: number
  /** The objects that lead to the current place. */
  readonly ancestors: object[]
  /** How many values were read. Each takes a byte of JSON at least, so there can't be more than bytes. */
  values: number
}

/** A getter, a proxy or a toJSON may throw whatever it likes. */
function readable<T>(walk: Walk, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof PgqError) throw error
    const message = `reading the payload for queue ${JSON.stringify(walk.queue)} threw an error`
    throw new PgqError('INVALID_PAYLOAD', message, { cause: error, issues: [{ path: '$', message }] })
  }
}

/** A copy of a value that is JSON and nothing else. */
function plain(walk: Walk, value: unknown, path: string, key: string): unknown {
  if (++walk.values > walk.maxBytes) throw tooLarge(walk, `holds more than ${walk.maxBytes} values`)
  switch (typeof value) {
    case 'string':
      if (!isStorableText(value))
        refuse(walk, path, 'text with NUL or a lone surrogate, which PostgreSQL cannot store')
      return value
    case 'number':
      if (!Number.isFinite(value)) refuse(walk, path, `${value}, which JSON cannot hold`)
      return value
    case 'boolean':
      return value
    case 'object':
      return value === null ? null : plainObject(walk, value, path, key)
    case 'bigint':
      return refuse(walk, path, `${show(value)}, a BigInt, which JSON cannot hold: store it as text`)
    default:
      return refuse(walk, path, `${show(value)}, which JSON cannot hold`)
  }
}

function plainObject(walk: Walk, value: object, path: string, key: string): unknown {
  if (walk.ancestors.includes(value)) refuse(walk, path, 'a cycle: it refers back to a value that holds it')
  if (walk.ancestors.length >= MAX_DEPTH) refuse(walk, path, `nested deeper than ${MAX_DEPTH} levels`)
  if (ArrayBuffer.isView(value) || (value instanceof Date && Number.isNaN(value.getTime())))
    changed(walk, value, path)
  walk.ancestors.push(value)
  const copy = convert(walk, value, path, key)
  walk.ancestors.pop()
  return copy
}

function convert(walk: Walk, value: object, path: string, key: string): unknown {
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return plain(walk, value.toJSON(key), path, key)
  if (Array.isArray(value)) return plainArray(walk, value, path)
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain =
    prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
  return isPlain ? plainRecord(walk, value, path) : changed(walk, value, path)
}

function plainArray(walk: Walk, value: readonly unknown[], path: string): unknown[] {
  const copy: unknown[] = []
  for (let i = 0; i < value.length; i++) copy.push(plain(walk, value[i], childPath(path, i), String(i)))
  return copy
}

function plainRecord(walk: Walk, value: object, path: string): object {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const place = childPath(path, key)
    if (!isStorableText(key))
      refuse(walk, place, 'a key with NUL or a lone surrogate, which PostgreSQL cannot store')
    const property = (value as Record<string, unknown>)[key]
    if (property === undefined) continue
    const plainProperty = plain(walk, property, place, key)
    if (key === '__proto__') Object.defineProperty(copy, key, { value: plainProperty, enumerable: true })
    else copy[key] = plainProperty
  }
  return copy
}

function missing(queue: string): PgqError {
  const message = 'there is no payload: it is undefined'
  return new PgqError('INVALID_PAYLOAD', `the payload for queue ${JSON.stringify(queue)}: ${message}`, {
    issues: [{ path: '$', message }],
  })
}

function tooLarge({ queue, maxBytes }: Walk, how: string): PgqError {
  return new PgqError(
    'PAYLOAD_TOO_LARGE',
    `the payload for queue ${JSON.stringify(queue)} ${how}, and maxPayloadBytes is ${maxBytes}: ` +
      'store the data elsewhere and enqueue a reference to it, or raise maxPayloadBytes',
  )
}

function changed(walk: Walk, value: object, path: string): never {
  return refuse(walk, path, `${show(value)}, which JSON would change: convert it to plain data first`)
}

function refuse(walk: Walk, path: string, what: string): never {
  throw new PgqError(
    'INVALID_PAYLOAD',
    `the payload for queue ${JSON.stringify(walk.queue)} holds at ${path} ${what}`,
    {
      issues: [{ path, message: what }],
    },
  )
}
