import { type Missed } from '../cron/due-ticks.ts'
import { type Rule, ticksOf } from '../cron/rule.ts'
import { PgqError, show } from '../errors.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { integerOption, knownOptions, textOption } from '../runtime/options.ts'
import type { Metadata } from './job.ts'
import { assertJobOptions, fieldsFor, jobFields, type JobOptions, uniqueRuleOf, withKey } from './new-job.ts'
import { encodePayload } from './payload.ts'
import { type AnyQueue, assertQueue, type InputOf } from './queue.ts'
import { validate } from './schema.ts'

/** The bounds of a schedule. */
interface Span {
  /** No tick before it; intervals count from it. @default none; intervals count from 1970-01-01T00:00Z, so `15m` means :00, :15, :30, :45 */
  readonly from?: Date
  /** No tick after it. @default none */
  readonly until?: Date
}

/** By the clock: five fields (minute hour day month weekday) or six with seconds in front, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. */
export interface CronRule extends Span {
  readonly cron: string
  /** A name such as `Europe/Berlin`. @default 'UTC' */
  readonly timezone?: string
}

/** At a fixed interval, 1 s to 100 years. It does not drift. */
export interface IntervalRule extends Span {
  readonly every: Duration
}

/** Once. */
export interface OnceRule {
  /** In the past: at once, up to a week late. What is written down later than that is finished without a job, since it may have run and been forgotten. */
  readonly at: Date
}

/** When a schedule ticks. */
export type ScheduleRule = CronRule | IntervalRule | OnceRule

/** What else may be said of a schedule: everything about its jobs that `enqueue` takes, but not when. */
export interface ScheduleOptions extends Omit<JobOptions, 'delay' | 'scheduledFor'> {
  /** Unique in the schema, 1 to 200 characters; dots make good separators. @default the name of the queue */
  readonly name?: string
  /**
   * What becomes of ticks more than a minute late, because no worker was there, and of those while the schedule was paused: `skip` drops them, `once` runs
   * the newest, `{ fill: n }` the newest n, 1 to 1,000. @default 'once'
   */
  readonly missed?: Missed
}

/** A schedule: which queue gets a job, when, and with what payload. Made by `schedule`. */
export interface Schedule<Q extends AnyQueue = AnyQueue> {
  readonly name: string
  readonly queue: Q
  readonly rule: Rule
  readonly payload: InputOf<Q>
  readonly missed: Missed
  /** The fields of its jobs, as JSON text. */
  readonly fields: string
}

const MAX_NAME_LENGTH = 200
const MAX_FILL = 1_000
/** What `jobFields` calls the queue; a schedule has it in a column of its own. */
const OWN_FIELD = 'queue'

/**
 * Defines a schedule. Give it to `createWorker` (`schedules`), which keeps it as long as a worker declares it, or to `pgq.schedules.upsert`.
 * @throws PgqError INVALID_SCHEDULE, INVALID_QUEUE, INVALID_OPTION
 * @example
 * schedule(reports, { cron: '0 6 * * 1-5', timezone: 'Europe/Berlin' }, { kind: 'daily' })
 */
export function schedule<Q extends AnyQueue>(
  queue: Q,
  rule: ScheduleRule,
  payload: InputOf<Q>,
  options: ScheduleOptions = {},
): Schedule<Q> {
  assertQueue(queue)
  const { name = queue.name, missed = 'once', ...jobOptions } = options
  for (const when of ['delay', 'scheduledFor'])
    if (when in options)
      throw new PgqError(
        'INVALID_OPTION',
        `a schedule has no option ${show(when)}: its rule says when its jobs run`,
      )
  assertJobOptions('schedule', jobOptions, ['name', 'missed'])
  const fields = fieldsFor(queue, jobFields(queue, jobOptions), jobOptions, payload)
  return Object.freeze({
    name: textOption('the name of a schedule', name, MAX_NAME_LENGTH),
    queue,
    rule: checkedRule(rule),
    payload,
    missed: missedOption(missed),
    fields: `{${withKey(fields, queue, uniqueRuleOf(queue, jobOptions), payload, payload)}}`,
  })
}

/**
 * The next ticks of a rule, for a preview.
 * @param count how many at the most, 1 to 1,000
 * @throws PgqError INVALID_SCHEDULE, INVALID_OPTION
 */
export function nextTicks(rule: ScheduleRule, count = 10, after: Date = new Date()): Date[] {
  integerOption('count', count, 1, 1_000)
  const next = ticksOf(checkedRule(rule))
  const ticks: Date[] = []
  for (
    let tick = next(instant('after', after));
    tick !== undefined && ticks.length < count;
    tick = next(tick)
  )
    ticks.push(new Date(tick))
  return ticks
}

/** Which tick a job is for. */
export interface Tick {
  /** The name of the schedule. */
  readonly schedule: string
  /** The moment that the tick is of, however late the job runs. Of a run by hand: when that was. */
  readonly at: Date
  /** Whether somebody ran the schedule by hand. */
  readonly manual: boolean
}

/** Which tick a job is for; undefined when no schedule has enqueued it. */
export function tickOf(job: { readonly metadata: Metadata }): Tick | undefined {
  const said = job.metadata['schedule'] as { name?: unknown; tick?: unknown; manual?: unknown } | undefined
  if (typeof said?.name !== 'string' || typeof said.tick !== 'string') return undefined
  return { schedule: said.name, at: new Date(said.tick), manual: said.manual === true }
}

/**
 * The text that is stored, as JSON.
 * @throws PgqError INVALID_PAYLOAD, PAYLOAD_TOO_LARGE
 */
export async function scheduleText(given: Schedule, maxPayloadBytes: number): Promise<string> {
  assertSchedule(given)
  const { name, queue, rule, payload, missed, fields } = given
  const encoded = encodePayload(queue.name, payload, maxPayloadBytes)
  await validate(queue.payload, encoded.value, 'INVALID_PAYLOAD', queue.name)
  const { [OWN_FIELD]: _, ...options } = JSON.parse(fields) as Record<string, unknown>
  const text = JSON.stringify({
    name,
    queue: queue.name,
    cron: rule.cron,
    every_ms: rule.everyMs,
    once_at: isoText(rule.atMs),
    timezone: rule.timezone,
    starts_at: isoText(rule.fromMs),
    ends_at: isoText(rule.untilMs),
    missed: typeof missed === 'string' ? missed : `fill ${missed.fill}`,
    options,
  })
  return `${text.slice(0, -1)},"payload":${encoded.text}}`
}

/**
 * Checks that something is what `schedule` returned.
 * @throws PgqError INVALID_OPTION
 */
export function assertSchedule(value: unknown): asserts value is Schedule {
  const ok =
    typeof value === 'object' && value !== null && 'rule' in value && 'fields' in value && 'queue' in value
  if (!ok)
    throw new PgqError(
      'INVALID_OPTION',
      `${show(value)} is not a schedule: pass what schedule(queue, rule, payload) returned`,
    )
}

/** `missed` as it is stored. */
export function parseMissed(text: string): Missed {
  return text === 'skip' || text === 'once' ? text : { fill: Number(text.slice('fill '.length)) }
}

const isoText = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString()

function checkedRule(given: ScheduleRule): Rule {
  knownOptions('the rule of a schedule', given, ['cron', 'timezone', 'every', 'at', 'from', 'until'])
  const all: Partial<CronRule & IntervalRule & OnceRule> = given
  const kinds = (['cron', 'every', 'at'] as const).filter((kind) => all[kind] !== undefined)
  if (kinds.length !== 1)
    throw new PgqError(
      'INVALID_SCHEDULE',
      `the rule of a schedule has ${kinds.length === 0 ? 'none' : kinds.join(' and ')} of cron, every and at: give one of them`,
    )
  refuse(all, 'timezone', all.cron !== undefined, 'cron')
  refuse(all, 'from', all.at === undefined, 'cron or every')
  refuse(all, 'until', all.at === undefined, 'cron or every')
  const rule: Rule = {
    cron: all.cron,
    timezone: all.cron === undefined ? undefined : (all.timezone ?? 'UTC'),
    everyMs: all.every === undefined ? undefined : durationMs('every', all.every, { min: 1_000 }),
    atMs: all.at === undefined ? undefined : instant('at', all.at),
    fromMs: all.from === undefined ? undefined : instant('from', all.from),
    untilMs: all.until === undefined ? undefined : instant('until', all.until),
  }
  ticksOf(rule)
  return rule
}

function refuse(all: object, option: string, isAllowed: boolean, partner: string): void {
  if (isAllowed || (all as Record<string, unknown>)[option] === undefined) return
  throw new PgqError('INVALID_SCHEDULE', `${option} goes together with ${partner} only`)
}

function missedOption(missed: unknown): Missed {
  if (missed === 'skip' || missed === 'once') return missed
  if (typeof missed === 'object' && missed !== null && 'fill' in missed)
    return { fill: integerOption('missed.fill', missed.fill, 1, MAX_FILL) }
  throw new PgqError('INVALID_OPTION', `missed is ${show(missed)}: it must be 'skip', 'once' or { fill: n }`)
}

function instant(option: string, value: unknown): number {
  if (value instanceof Date && value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999)
    return value.getTime()
  throw new PgqError(
    'INVALID_OPTION',
    `${option} is ${show(value)}: it must be a valid Date between the years 1 and 9999`,
  )
}
