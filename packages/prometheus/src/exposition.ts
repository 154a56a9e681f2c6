/** The text format that Prometheus reads, version 0.0.4. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Labels by name; none of ours holds anything of a job but its queue, so that the number of series stays small. */
export type Labels = Readonly<Record<string, string>>

/** One line. */
export interface Sample {
  /** What follows the name of the metric, as `_bucket` does. */
  readonly suffix?: string
  readonly labels: Labels
  readonly value: number
}

/** One metric with all its series. */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

/** Writes metrics as text. One without a series is announced all the same. */
export function expose(families: readonly Family[]): string {
  return families.map(exposeFamily).join('')
}

function exposeFamily({ name, type, help, samples }: Family): string {
  const lines = samples.map(
    ({ suffix = '', labels, value }) => `${name}${suffix}${labelText(labels)} ${numberText(value)}`,
  )
  return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const numberText = (value: number): string => (value === Infinity ? '+Inf' : String(value))
const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')
