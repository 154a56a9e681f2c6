/** What was looked at. */
export type CheckName =
  | 'schema'
  | 'server'
  | 'autovacuum'
  | 'bloat'
  | 'horizon'
  | 'partitions'
  | 'workers'
  | 'queues'
  | 'pooler'
  | 'clock'

/**
 * How bad it is: `ok`; a `note` to know of; a `warning` about what costs speed now or will hurt later; a `problem` that keeps jobs from being
 * run, or endangers them.
 */
export type Severity = 'ok' | 'note' | 'warning' | 'problem'

/** One thing that a diagnosis found. */
export interface Finding {
  readonly check: CheckName
  readonly severity: Severity
  /** What is the case, in a sentence. */
  readonly message: string
  /** What to do about it; null when there is nothing to do. */
  readonly fix: string | null
}

export const ok = (check: CheckName, message: string): Finding => ({
  check,
  severity: 'ok',
  message,
  fix: null,
})

/** The findings of a check, or that all is well when there are none. */
export const orElse = (findings: readonly Finding[], fine: Finding): readonly Finding[] =>
  findings.length > 0 ? findings : [fine]

/** A length of time for people: the two largest units of it. */
export function inWords(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 1) return `${Math.round(ms)} ms`
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return units(seconds, 60, 'min', 1, 's')
  if (seconds < 86_400) return units(seconds, 3_600, 'h', 60, 'min')
  return units(seconds, 86_400, 'd', 3_600, 'h')
}

function units(seconds: number, large: number, ofLarge: string, small: number, ofSmall: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)} ${ofLarge}${rest === 0 ? '' : ` ${rest} ${ofSmall}`}`
}

/** A size for people. */
export function inBytes(bytes: number): string {
  if (bytes < 1_048_576) return `${Math.round(bytes / 1_024)} kB`
  if (bytes < 1_073_741_824) return `${Math.round(bytes / 1_048_576)} MB`
  return `${(bytes / 1_073_741_824).toFixed(1)} GB`
}

/** `1 job`, `2 jobs`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`

/** Names in quotes, the first few of them. */
export function named(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).map((name) => JSON.stringify(name))
  return names.length > most ? `${shown.join(', ')} and ${names.length - most} more` : shown.join(', ')
}
