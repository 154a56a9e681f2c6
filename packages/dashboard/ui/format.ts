const NUMBER = new Intl.NumberFormat('en')
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const TIME = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'medium',
  hourCycle: 'h23',
})
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

export const number = (value: number): string => NUMBER.format(value)
export const short = (value: number): string =>
  value < 10_000 ? NUMBER.format(round(value)) : SHORT.format(value)
export const clock = (ms: number): string => CLOCK.format(ms)
export const instant = (ms: number): string => TIME.format(ms)

/** A count that may have ended at a limit. */
export const count = ({ jobs, isMore }: { readonly jobs: number; readonly isMore: boolean }): string =>
  isMore ? `${number(jobs)}+` : number(jobs)

export const jobs = (n: number): string => `${number(n)} ${n === 1 ? 'job' : 'jobs'}`

/** A part of a whole. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '–'
  const value = (100 * part) / whole
  if (value === 0) return '0%'
  return value < 0.1 ? '<0.1%' : `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}%`
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** A length of time in its two largest units: `2h 5m`. */
export function span(ms: number): string {
  if (ms < 1) return '0ms'
  if (ms < 1_000) return `${ms < 10 ? round(ms) : Math.round(ms)}ms`
  if (ms < 10_000) return `${Math.round(ms / 100) / 10}s`
  const index = UNITS.findIndex(([, size]) => ms >= size)
  const [unit, size] = UNITS[index] ?? UNITS[3]
  const next = UNITS[index + 1]
  const rest = next ? Math.floor((ms % size) / next[1]) : 0
  return `${Math.floor(ms / size)}${unit}${rest > 0 && next ? ` ${rest}${next[0]}` : ''}`
}

/** How long ago, or in how long. */
export function relative(ms: number, now: number): string {
  const away = ms - now
  if (Math.abs(away) < 1_000) return 'now'
  const length = roughly(Math.abs(away))
  return away > 0 ? `in ${length}` : `${length} ago`
}

function roughly(ms: number): string {
  const [unit, size] = UNITS.find(([, length]) => ms >= length) ?? UNITS[3]
  return `${Math.floor(ms / size)}${unit}`
}

/** The end of an id, which differs most between ids made at the same time. */
export const shortId = (id: string): string => `${id.slice(0, 8)}…${id.slice(-4)}`

const round = (value: number): number => Math.round(value * 10) / 10
