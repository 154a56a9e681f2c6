import { PgqError, show } from '../errors.ts'
import { isStorableText } from '../runtime/options.ts'
import { childPath } from './schema.ts'

/** A payload ready for the database. */
export interface EncodedPayload {
  /** The JSON text. */
  readonly text: string
  /** What the handler will read back. The same object as was given, unless something in it had a `toJSON`. */
  readonly value: unknown
}

/** Deeper values overflow somebody's stack sooner or later. */
const MAX_DEPTH = 200

/**
 * Turns a payload into JSON, and refuses what JSON or PostgreSQL would change or lose without a word: NUL and lone
 * surrogates, NaN and infinities, BigInt, functions, symbols, holes, class instances such as Map and Buffer, cycles.
 * Properties that are `undefined` are left out, as in JSON. Objects with a `toJSON` (a Date, a Decimal) are stored
 * as what it returns.
 * @throws PgqError INVALID_PAYLOAD with the path of the bad value, PAYLOAD_TOO_LARGE
 */
export function encodePayload(queue: string, payload: unknown, maxBytes: number): EncodedPayload {
  const walk: Walk = { queue, ancestors: [], converted: false }
  const text = readable(queue, () => {
    check(walk, payload, '$')
    return JSON.stringify(payload)
  })
  const bytes = text.length > maxBytes / 4 ? Buffer.byteLength(text) : text.length
  if (bytes > maxBytes) {
    throw new PgqError(
      'PAYLOAD_TOO_LARGE',
      `the payload for queue ${JSON.stringify(queue)} has ${bytes} bytes, more than maxPayloadBytes (${maxBytes}): ` +
        'store the data elsewhere and enqueue a reference to it, or raise maxPayloadBytes',
    )
  }
  return { text, value: walk.converted ? JSON.parse(text) : payload }
}

/** A getter, a proxy or a toJSON may throw whatever it likes. */
function readable<T>(queue: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof PgqError) throw error
    const message = `reading the payload for queue ${JSON.stringify(queue)} threw an error`
    throw new PgqError('INVALID_PAYLOAD', message, { cause: error, issues: [{ path: '$', message }] })
  }
}

interface Walk {
  readonly queue: string
  /** The objects that lead to the current place. */
  readonly ancestors: object[]
  /** Whether a toJSON was seen. */
  converted: boolean
}

function check(walk: Walk, value: unknown, path: string): void {
  switch (typeof value) {
    case 'string':
      if (!isStorableText(value))
        refuse(walk, path, 'text with NUL or a lone surrogate, which PostgreSQL cannot store')
      return
    case 'number':
      if (!Number.isFinite(value)) refuse(walk, path, `${value}, which JSON cannot hold`)
      return
    case 'boolean':
      return
    case 'object':
      if (value !== null) checkObject(walk, value, path)
      return
    case 'bigint':
      return refuse(walk, path, `${show(value)}, a BigInt, which JSON cannot hold: store it as text`)
    default:
      refuse(walk, path, `${show(value)}, which JSON cannot hold`)
  }
}

function checkObject(walk: Walk, value: object, path: string): void {
  if (walk.ancestors.includes(value)) refuse(walk, path, 'a cycle: it refers back to a value that holds it')
  if (walk.ancestors.length >= MAX_DEPTH) refuse(walk, path, `nested deeper than ${MAX_DEPTH} levels`)
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return checkConverted(walk, value.toJSON(lastKey(path)), path)
  walk.ancestors.push(value)
  if (Array.isArray(value)) for (let i = 0; i < value.length; i++) check(walk, value[i], childPath(path, i))
  else checkProperties(walk, value, path)
  walk.ancestors.pop()
}

function checkProperties(walk: Walk, value: object, path: string): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain =
    prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
  if (!isPlain) refuse(walk, path, `${show(value)}, which JSON would change: convert it to plain data first`)
  for (const key of Object.keys(value)) {
    const place = childPath(path, key)
    if (!isStorableText(key))
      refuse(walk, place, 'a key with NUL or a lone surrogate, which PostgreSQL cannot store')
    const property = (value as Record<string, unknown>)[key]
    if (property !== undefined) check(walk, property, place)
  }
}

function checkConverted(walk: Walk, value: unknown, path: string): void {
  walk.converted = true
  if (typeof value === 'object' && value !== null && 'toJSON' in value) {
    refuse(walk, path, 'a value whose toJSON returns something that has a toJSON itself')
  }
  check(walk, value, path)
}

/** JSON.stringify passes the key to toJSON; nobody's toJSON is known to look at it, but the contract says so. */
function lastKey(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('.'), path.lastIndexOf('[')) + 1)
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
