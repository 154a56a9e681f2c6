import { PgqError, show } from '../errors.ts'

/** A change of a zone's offset: clocks go forward when `after` is the larger one. All in ms. */
export interface Transition {
  /** The first moment with the new offset. */
  readonly at: number
  readonly before: number
  readonly after: number
}

/** How far two looks at the offset lie apart: changes of one zone are never that close to each other. In ms. */
const STEP_MS = 6 * 3_600_000
/** The largest change of an offset that there is: Samoa left out a day. In ms. */
export const LARGEST_CHANGE_MS: number = 24 * 3_600_000

/** The offsets of one time zone, as the runtime's own tables have them. */
export class TimeZone {
  readonly name: string
  readonly #format: Intl.DateTimeFormat

  /** @throws PgqError INVALID_SCHEDULE for a name that is no time zone */
  constructor(name: string) {
    this.name = name
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      })
    } catch (error) {
      throw new PgqError(
        'INVALID_SCHEDULE',
        `timezone is ${show(name)}: it must be the name of a time zone such as 'Europe/Berlin' or 'UTC'`,
        { cause: error },
      )
    }
  }

  /** What the clocks there show at a moment, minus UTC, in ms. */
  offsetAt(ms: number): number {
    if (this.name === 'UTC') return 0
    const seconds = Math.floor(ms / 1_000) * 1_000
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = (
      this.#format.format(seconds).match(/\d+/g) ?? []
    ).map(Number)
    return Date.UTC(year, month - 1, day, hour, minute, second) - seconds
  }

  /** The first change in (from, to], if there is one. */
  changeBetween(from: number, to: number): Transition | undefined {
    if (this.name === 'UTC') return undefined
    let before = this.offsetAt(from)
    for (let start = from; start < to; start += STEP_MS) {
      const end = Math.min(start + STEP_MS, to)
      const after = this.offsetAt(end)
      if (after !== before) return this.#pinpoint(start, end, before)
      before = after
    }
    return undefined
  }

  #pinpoint(from: number, to: number, before: number): Transition {
    let [low, high] = [from, to]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.offsetAt(middle) === before) low = middle
      else high = middle
    }
    return { at: high, before, after: this.offsetAt(high) }
  }
}
