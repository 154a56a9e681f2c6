import { expect, test } from 'vitest'
import { CronExpression } from '../src/cron/cron-expression.ts'

/**
 * The ticks of expressions around every change of the clocks, in every zone, against an oracle that knows no arithmetic: it looks at what the
 * clock shows at each minute (by the runtime, whose tables both use), and reads the rule off that list.
 */

/** How many years are looked at, from 2024 on; backwards too when there are more than 20. */
const YEARS = Number(process.env['PGQ_CRON_YEARS'] ?? 1)
const ALL_ZONES = Intl.supportedValuesOf('timeZone')
/** Those that do what no other does, and every tenth; all of them when the years are given. */
const ZONES =
  process.env['PGQ_CRON_YEARS'] === undefined
    ? ALL_ZONES.filter(
        (zone, n) =>
          n % 10 === 0 || /Lord_Howe|Casablanca|Apia|Berlin|New_York|Cairo|Santiago|Troll/.test(zone),
      )
    : ALL_ZONES
const MINUTE = 60_000
const HOUR = 3_600_000

interface Wall {
  readonly ms: number
  readonly day: number
  readonly weekday: number
  readonly hour: number
  readonly minute: number
}

interface Expression {
  readonly text: string
  readonly isRhythm: boolean
  readonly matches: (wall: Wall) => boolean
}

const at =
  (...times: readonly string[]): Expression['matches'] =>
  ({ hour, minute }) =>
    times.includes(`${hour}:${minute}`)

const EXPRESSIONS: readonly Expression[] = [
  { text: '30 2 * * *', isRhythm: false, matches: at('2:30') },
  { text: '0 0 * * *', isRhythm: false, matches: at('0:0') },
  {
    text: '15,45 0-4 * * *',
    isRhythm: false,
    matches: ({ hour, minute }) => hour <= 4 && (minute === 15 || minute === 45),
  },
  { text: '0 */2 * * *', isRhythm: false, matches: ({ hour, minute }) => hour % 2 === 0 && minute === 0 },
  { text: '30 1 * * SUN', isRhythm: false, matches: (wall) => wall.weekday === 0 && at('1:30')(wall) },
  { text: '59 23 * * *', isRhythm: false, matches: at('23:59') },
  { text: '*/15 * * * *', isRhythm: true, matches: ({ minute }) => minute % 15 === 0 },
  { text: '0 0-23 * * *', isRhythm: true, matches: ({ minute }) => minute === 0 },
  {
    text: '20 * 1,15,28-31 * *',
    isRhythm: true,
    matches: ({ minute, day }) => minute === 20 && (day === 1 || day === 15 || day >= 28),
  },
]

function clockOf(zone: string): (ms: number) => Wall {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  return (ms) => {
    const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part
    const wall = Date.UTC(year, month - 1, day, hour, minute, second)
    return { ms: wall, day, weekday: new Date(wall).getUTCDay(), hour, minute }
  }
}

/** The days in which the clocks are changed, by looking twice a day. */
function changes(clock: (ms: number) => Wall, from: number, to: number): number[] {
  const found: number[] = []
  const offset = (ms: number): number => clock(ms).ms - ms
  for (let ms = from, before = offset(ms); ms < to; ms += 12 * HOUR) {
    const after = offset(ms)
    if (after !== before) found.push(ms)
    before = after
  }
  return found
}

/** Each minute is looked at once for all expressions. */
function remembered(clock: (ms: number) => Wall): (ms: number) => Wall {
  const known = new Map<number, Wall>()
  return (ms) => {
    const wall = known.get(ms) ?? clock(ms)
    known.set(ms, wall)
    return wall
  }
}

/** What should tick in a stretch of time: reads each minute of the clock. */
function expected(
  clock: (ms: number) => Wall,
  from: number,
  to: number,
  { isRhythm, matches }: Expression,
): number[] {
  const shown = new Map<number, number>()
  const ticks = new Set<number>()
  let last = clock(from - 30 * HOUR).ms - MINUTE
  for (let ms = from - 30 * HOUR; ms < to; ms += MINUTE) {
    const wall = clock(ms)
    // What was skipped comes later by as much as the clocks went forward: from the minute of the change on.
    for (let skipped = last + MINUTE, n = 0; skipped < wall.ms; skipped += MINUTE, n++)
      if (!isRhythm && matches(wallAt(skipped))) ticks.add(ms + n * MINUTE)
    if (matches(wall) && (isRhythm || !shown.has(wall.ms))) ticks.add(ms)
    shown.set(wall.ms, ms)
    last = wall.ms
  }
  return [...ticks].filter((tick) => tick >= from && tick < to).toSorted((a, b) => a - b)
}

function wallAt(ms: number): Wall {
  const date = new Date(ms)
  return {
    ms,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
  }
}

function actual(expression: CronExpression, from: number, to: number): number[] {
  const found: number[] = []
  for (let ms = expression.next(from - 1); ms !== undefined && ms < to; ms = expression.next(ms))
    found.push(ms)
  return found
}

const firstYear = YEARS > 20 ? 2024 - Math.floor(YEARS / 2) : 2024
const from = Date.UTC(firstYear, 0, 1)
const to = Date.UTC(firstYear + YEARS, 0, 1)

test(
  `${ZONES.length} zones, ${firstYear} to ${firstYear + YEARS - 1}: around each change of the clocks every expression ticks as the clock shows`,
  { timeout: 3_600_000 },
  () => {
    const seen = new Map<string, Set<number>>()
    let looked = 0
    for (const zone of ZONES) {
      const clock = clockOf(zone)
      for (const change of changes(clock, from, to)) {
        // Zones that change at the same moment by as much in the same way are one case.
        const [before, after] = [clock(change - 12 * HOUR).ms - change, clock(change).ms - change]
        const same = seen.get(`${before} ${after}`) ?? new Set<number>()
        seen.set(`${before} ${after}`, same)
        if (same.has(change)) continue
        same.add(change)
        const shown = remembered(clock)
        const [start, end] = [change - 18 * HOUR, change + 30 * HOUR]
        for (const expression of EXPRESSIONS) {
          const want = expected(shown, start, end, expression)
          const got = actual(new CronExpression(expression.text, zone), start, end)
          expect(got.map(iso), `${expression.text} in ${zone} around ${iso(change)}`).toEqual(want.map(iso))
          looked += want.length
        }
      }
    }
    console.log(
      `${looked} ticks around ${[...seen.values()].reduce((sum, set) => sum + set.size, 0)} changes`,
    )
    expect(looked).toBeGreaterThan(500)
  },
)

const iso = (ms: number): string => new Date(ms).toISOString()
