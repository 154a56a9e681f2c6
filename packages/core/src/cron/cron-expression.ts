import { Cron } from 'croner'
import { PgqError, show } from '../errors.ts'
import { LARGEST_CHANGE_MS, TimeZone, type Transition } from './time-zone.ts'

/** A piece of time in which a zone's offset does not change, and the change that it began with if that is not long ago. */
interface Stretch {
  readonly offset: number
  readonly beganBy: Transition | undefined
}

const DAY_MS = 86_400_000
/** No expression needs more: the rarest, 29 February on a given weekday, comes every 40 years at the latest. */
const MOST_STRETCHES = 400
/** The offsets of a zone, of all times, lie no further apart than this: Samoa's lie 25 and a half hours. In ms. */
const WIDEST_MS = 48 * 3_600_000

/**
 * A cron expression in a time zone: which moments it means.
 *
 * The calendar (which times of day, on which days) is croner's work, done on a clock without a zone. What happens where the clocks of
 * a zone are changed is decided here, because there the libraries disagree:
 *
 * - An expression that names hours means times on the clock, each once a day. One that the clocks skip is read by the offset before
 *   the change (02:30 becomes 03:30), one that they show twice means the first. RFC 5545 says so for calendars.
 * - An expression with every hour (`*`) means a rhythm. It goes on through both hours that the clocks show, and leaves out what they skip.
 */
export class CronExpression {
  readonly #zone: TimeZone
  readonly #clock: Cron
  readonly #isRhythm: boolean

  /** @throws PgqError INVALID_SCHEDULE for a wrong expression, an unknown zone, and an expression that never comes true */
  constructor(expression: string, timezone: string = 'UTC') {
    this.#zone = new TimeZone(timezone)
    this.#clock = parse(expression)
    this.#isRhythm = namesEveryHour(expression)
    if (this.#wallAfter(Date.UTC(2000, 0, 1)) === undefined) {
      throw new PgqError(
        'INVALID_SCHEDULE',
        `cron is ${show(expression)}, which never comes true: there is no such day in any year`,
      )
    }
  }

  /** The first moment after another that is meant, in ms since 1970; undefined when there is none within centuries. */
  next(afterMs: number): number | undefined {
    const beganBy = this.#zone.changeBetween(afterMs - LARGEST_CHANGE_MS, afterMs)
    let stretch: Stretch = { offset: this.#zone.offsetAt(afterMs), beganBy }
    let after = afterMs
    let from = afterMs
    for (let n = 0; n < MOST_STRETCHES; n++) {
      const found = this.#nextIn(stretch, after)
      if (found === undefined) return undefined
      const isFar = found > from + 2 * WIDEST_MS
      const change = this.#zone.changeBetween(from, isFar ? from + WIDEST_MS : found)
      // Between here and there the clocks show nothing that is meant, whatever their offset is. So what becomes of them on the way need not
      // be looked at, which would take longer than all the rest.
      if (change === undefined && isFar) return this.next(found - WIDEST_MS)
      // A change at the very moment is looked at too: what the clocks then show is another time.
      if (change === undefined) return found
      stretch = { offset: change.after, beganBy: change }
      after = change.at - 1
      from = change.at
    }
    return undefined
  }

  /** The next one, supposed that the offset stays as it is. */
  #nextIn({ offset, beganBy }: Stretch, after: number): number | undefined {
    if (this.#isRhythm || beganBy === undefined) return this.#onClock(after + offset, offset)
    const { at, before } = beganBy
    // After clocks went back, what they show again does not count until they show something new.
    if (before > offset) return this.#onClock(Math.max(after + offset, at + before - 1), offset)
    // After they went forward, what they have skipped comes as if they had not.
    const shown = this.#onClock(Math.max(after, at - 1) + offset, offset)
    const skipped = this.#onClock(Math.max(after, at - 1) + before, before)
    const isSkipped = skipped !== undefined && skipped + before < at + offset
    return isSkipped && (shown === undefined || skipped < shown) ? skipped : shown
  }

  #onClock(afterWall: number, offset: number): number | undefined {
    const wall = this.#wallAfter(afterWall)
    return wall === undefined ? undefined : wall - offset
  }

  /** The next match on a clock that is never changed. */
  #wallAfter(wall: number): number | undefined {
    return this.#clock.nextRun(new Date(wall))?.getTime()
  }
}

function parse(expression: string): Cron {
  const isText = typeof expression === 'string' && expression.trim() !== '' && expression.length <= 1_000
  // croner takes a date too; that is what one-off schedules are for.
  if (!isText || /^\d{4}-/.test(expression.trim())) throw invalid(expression, undefined)
  try {
    return new Cron(expression, { timezone: 'UTC', mode: '5-or-6-parts' })
  } catch (error) {
    throw invalid(expression, error)
  }
}

function invalid(expression: unknown, error: unknown): PgqError {
  const why = error instanceof Error ? ` (${error.message.replace(/^CronPattern: /, '')})` : ''
  return new PgqError(
    'INVALID_SCHEDULE',
    `cron is ${show(expression)}${why}: it must be five fields, minute hour day month weekday, or six with seconds in front, such as '0 6 * * 1-5'`,
    { cause: error },
  )
}

/** Whether the hour field holds all 24 hours, however it is written. */
function namesEveryHour(expression: string): boolean {
  const fields = expression.trim().split(/\s+/)
  if (fields[0]?.startsWith('@')) return /^@hourly$/i.test(fields[0])
  const hours = new Cron(`0 0 ${fields[fields.length - 4]} * * *`, { timezone: 'UTC' })
  return hours.nextRuns(24, new Date(-1)).at(-1)?.getTime() === DAY_MS - 3_600_000
}
