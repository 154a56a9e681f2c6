/** Numbers as people read them: 12,345. */
export const count = (value: number): string => value.toLocaleString('en-US')

/** `1 job`, `12,345 jobs`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** A length of time in its two largest units: `3m 12s`. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return units(seconds, 60, 'm', 1, 's')
  if (seconds < 86_400) return units(seconds, 3_600, 'h', 60, 'm')
  return units(seconds, 86_400, 'd', 3_600, 'h')
}

function units(seconds: number, large: number, ofLarge: string, small: number, ofSmall: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)}${ofLarge}${rest === 0 ? '' : ` ${rest}${ofSmall}`}`
}

/** A moment as seen from now: `in 5s`, `3m 12s ago`. */
export function fromNow(moment: Date, now = Date.now()): string {
  const ms = moment.getTime() - now
  return ms > 0 ? `in ${duration(ms)}` : `${duration(-ms)} ago`
}

/** A moment to the second, in UTC. */
export const moment = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z')
