import { PgqError, show } from '../errors.ts'
import { type Backoff, backoffOption } from '../retry/backoff.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import {
  functionOption,
  integerOption,
  isStorableText,
  knownOptions,
  numberOption,
} from '../runtime/options.ts'
import { type CheckedLimits, checkLimits, type QueueLimits } from './limits.ts'
import { type Schema, type as typeOnly } from './schema.ts'
import { type UniqueOptions, type UniqueRule, uniqueRule } from './unique.ts'

/** The bounds of what a job row can hold. */
export const MAX_ATTEMPTS_LIMIT = 1_000_000
export const PRIORITY_MIN = -32_768
export const PRIORITY_MAX = 32_767
/** The highest cost of a job. */
export const MAX_COST = 1_000_000
const MAX_NAME_LENGTH = 200

/** Node's timers and the column both hold this many ms: about 24.8 days. */
export const MAX_TIMEOUT_MS: number = 2 ** 31 - 1

/** How the jobs of a queue are treated. */
export interface QueueOptions<Input, Payload, Result> {
  /** Checks payloads when they are enqueued and again before the handler, which gets what the schema makes of them. */
  readonly payload?: Schema<Input, Payload>
  /** The type of what handlers return. It is not checked at run time: a job that succeeded is never failed by its result. */
  readonly result?: Schema<Result>
  /** How often a job is run before it is dead, 1 to 1,000,000. @default 3 */
  readonly maxAttempts?: number
  /** How long to wait before the next attempt. @default exponential(): 2, 4, 8 … seconds, up to 10% jitter on top */
  readonly backoff?: Backoff
  /** How long an attempt may take before its signal aborts, 1 ms to 24 days. @default no limit */
  readonly timeout?: Duration
  /** Lower goes first, -32768 to 32767. @default 0 */
  readonly priority?: number
  /** Which of its jobs are the same, and what happens to the newer one of two. @default none are */
  readonly unique?: UniqueOptions<NoInfer<Input>>
  /**
   * Which group a job belongs to, such as its tenant; null for none. Groups take turns, whatever each has waiting, and may have
   * limits of their own. It is asked once, when the job is enqueued. @default no groups
   */
  readonly group?: (payload: Input) => string | null | undefined
  /** What a job takes of the rates, 0 to 1,000,000. @default 1 */
  readonly cost?: number | ((payload: Input) => number)
  /**
   * Limits over all workers. Written to the database when a worker of the queue starts, and kept there: leaving them out later
   * changes nothing, `{}` lifts them. @default those in the database, if any
   */
  readonly limits?: QueueLimits
}

/**
 * A queue: a named channel with one payload type, one policy, one handler. A definition holds no connection and no
 * handler, so that whatever enqueues need not import what processes.
 */
export interface Queue<Input = unknown, Payload = Input, Result = unknown> {
  readonly name: string
  readonly payload: Schema<Input, Payload>
  readonly maxAttempts: number
  readonly backoff: Backoff | undefined
  readonly timeoutMs: number | undefined
  readonly priority: number
  readonly unique: UniqueRule | undefined
  readonly group: ((payload: Input) => string | null | undefined) | undefined
  readonly cost: number | ((payload: Input) => number) | undefined
  readonly limits: CheckedLimits | undefined
  /** Only a type: what handlers return. */
  readonly result?: Result
}

// oxlint-disable-next-line typescript/no-explicit-any -- any queue at all: `unknown` would refuse those with a payload type
export type AnyQueue = Queue<any, any, any>

/** What `enqueue` takes for a queue. */
export type InputOf<Q extends AnyQueue> =
  Q extends Queue<infer Input, infer _Payload, infer _Result> ? Input : never
/** What the handler of a queue gets. */
export type PayloadOf<Q extends AnyQueue> =
  Q extends Queue<infer _Input, infer Payload, infer _Result> ? Payload : never
/** What the handler of a queue returns. */
export type ResultOf<Q extends AnyQueue> =
  Q extends Queue<infer _Input, infer _Payload, infer Result> ? Result : never

/**
 * Defines a queue.
 * @param name stable: it is stored with every job. 1 to 200 characters; dots make good separators (`payment.receipt`)
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 * @example
 * const receipts = defineQueue('payment.receipt', { payload: z.object({ paymentId: z.uuid() }), maxAttempts: 5 })
 */
export function defineQueue<Input = unknown, Payload = Input, Result = unknown>(
  name: string,
  options: QueueOptions<Input, Payload, Result> = {},
): Queue<Input, Payload, Result> {
  queueName(name)
  knownOptions(`the definition of queue ${JSON.stringify(name)}`, options, [
    'payload',
    'result',
    'maxAttempts',
    'backoff',
    'timeout',
    'priority',
    'unique',
    'group',
    'cost',
    'limits',
  ])
  const { payload, maxAttempts = 3, backoff, timeout, priority = 0, unique, group, cost, limits } = options
  if (payload !== undefined && !isSchema(payload)) {
    throw new PgqError(
      'INVALID_OPTION',
      `payload of queue ${JSON.stringify(name)} is ${show(payload)}: it must be a Standard Schema, such as z.object({…})`,
    )
  }
  return Object.freeze({
    name,
    payload: payload ?? (typeOnly<Payload>() as unknown as Schema<Input, Payload>),
    maxAttempts: integerOption('maxAttempts', maxAttempts, 1, MAX_ATTEMPTS_LIMIT),
    backoff: backoff === undefined ? undefined : backoffOption(backoff),
    timeoutMs:
      timeout === undefined ? undefined : durationMs('timeout', timeout, { min: 1, max: MAX_TIMEOUT_MS }),
    priority: integerOption('priority', priority, PRIORITY_MIN, PRIORITY_MAX),
    unique: unique === undefined ? undefined : uniqueRule('unique', unique),
    group: group === undefined ? undefined : functionOption('group', group),
    cost: cost === undefined || typeof cost === 'function' ? cost : numberOption('cost', cost, 0, MAX_COST),
    limits: limits === undefined ? undefined : checkLimits(limits),
  })
}

/**
 * Checks that something is a queue definition.
 * @throws PgqError INVALID_QUEUE
 */
export function assertQueue(value: unknown): asserts value is AnyQueue {
  const ok =
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'maxAttempts' in value &&
    'payload' in value &&
    isSchema(value.payload)
  if (!ok)
    throw new PgqError(
      'INVALID_QUEUE',
      `${show(value)} is not a queue: pass what defineQueue('name', {…}) returned`,
    )
}

/**
 * Checks the name of a queue.
 * @throws PgqError INVALID_QUEUE
 */
export function queueName(name: unknown): string {
  const ok =
    typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME_LENGTH && isStorableText(name)
  if (ok) return name
  throw new PgqError(
    'INVALID_QUEUE',
    `a queue cannot be called ${show(name)}: give it a name of 1 to ${MAX_NAME_LENGTH} characters`,
  )
}

function isSchema(value: unknown): value is Schema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard: unknown = (value as Record<string, unknown>)['~standard']
  return (
    typeof standard === 'object' &&
    standard !== null &&
    'validate' in standard &&
    typeof standard.validate === 'function'
  )
}
