import { isPgqError, PgqError, show } from '../errors.ts'
import { encodePayload } from '../job/payload.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { knownOptions, textOption } from '../runtime/options.ts'
import type { Tables } from '../sql/statement.ts'
import { AnswerStore, type StoredAnswer } from '../store/answer-store.ts'
import type { Queryable } from '../store/queryable.ts'
import { guestSession } from './guest-session.ts'

/** What is to be done once. */
export interface OnceOptions {
  /** The transaction that the work is done in: the answer is remembered if and only if it commits. */
  readonly tx: Queryable
  /** What a repeated call has in common with the first, 1 to 500 characters: the idempotency key of a request. */
  readonly key: string
  /** Keeps the keys of different callers or endpoints apart, up to 500 characters. @default '' */
  readonly scope?: string
  /** What the key was used for, such as a hash of the request, up to 500 characters: the same key for something else is refused. @default '' */
  readonly fingerprint?: string
  /** How long the answer is kept, 1 s to 365 d. @default 24h */
  readonly ttl?: Duration
}

/** What came of it. */
export interface OnceAnswer<T> {
  /** What the work returned, this time or the first time. */
  readonly value: T
  /** True when the work was done by an earlier call, and not by this one. */
  readonly replayed: boolean
}

/** The largest answer that is stored, in bytes of JSON. */
const MAX_ANSWER_BYTES = 1_048_576

interface OnceSettings {
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
  readonly keepMs: number
}

/** Does work once for each idempotency key, and remembers what came of it in the transaction that the work is done in. */
export class Idempotency {
  readonly #schema: string
  readonly #store: AnswerStore

  constructor({ tables }: { tables: Tables }) {
    this.#schema = tables.name
    this.#store = new AnswerStore(tables)
  }

  /** Does the work, or returns what it came to when it was done before. */
  async once<T>(options: OnceOptions, work: () => Promise<T>): Promise<OnceAnswer<T>> {
    const settings = onceSettings(options)
    const session = guestSession(options.tx, this.#schema)
    if (session.autocommit) {
      throw new PgqError(
        'INVALID_OPTION',
        'tx commits each statement by itself: an answer and its effects need a transaction to be stored together',
      )
    }
    const known = await this.#store.find(session, settings)
    if (known === 'in use') throw inUse(settings.key)
    if (known) return replay(known, settings)
    const { text, value } = encodeAnswer(await work())
    if (!(await this.#store.store(session, { ...settings, text }))) throw inUse(settings.key)
    return { value: value as T, replayed: false }
  }
}

/** An answer that cannot be stored is a mistake of the program, and not of whoever sent the key. */
function encodeAnswer(answer: unknown): ReturnType<typeof encodePayload> {
  try {
    return encodePayload('idempotency keys', answer, MAX_ANSWER_BYTES)
  } catch (error) {
    const issue = isPgqError(error) ? error.issues?.[0] : undefined
    const what = issue
      ? `holds at ${issue.path} ${issue.message}`
      : `is more than ${MAX_ANSWER_BYTES} bytes of JSON`
    throw new PgqError('INVALID_OPTION', `the answer to an idempotency key ${what}`, { cause: error })
  }
}

function replay<T>(known: StoredAnswer, { key, fingerprint }: OnceSettings): OnceAnswer<T> {
  if (known.fingerprint === fingerprint) return { value: JSON.parse(known.text), replayed: true }
  throw new PgqError(
    'IDEMPOTENCY_KEY_REUSED',
    `the idempotency key ${show(key)} was used before, for something else: use a new key`,
  )
}

function onceSettings(options: OnceOptions): OnceSettings {
  knownOptions('once', options, ['tx', 'key', 'scope', 'fingerprint', 'ttl'])
  const { key, scope = '', fingerprint = '', ttl = '24h' } = options
  return {
    key: textOption('key', key, 500),
    scope: scope === '' ? '' : textOption('scope', scope, 500),
    fingerprint: fingerprint === '' ? '' : textOption('fingerprint', fingerprint, 500),
    keepMs: durationMs('ttl', ttl, { min: 1_000, max: 31_536_000_000 }),
  }
}

function inUse(key: string): PgqError {
  return new PgqError(
    'IDEMPOTENCY_KEY_IN_USE',
    `the idempotency key ${show(key)} is in use by another transaction: try again when that has ended`,
  )
}
