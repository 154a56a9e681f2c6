import type { JSX } from 'preact'
import { Choice } from './page-parts.tsx'

const RANGES = [
  ['1h', 'Hour'],
  ['6h', '6 hours'],
  ['24h', 'Day'],
] as const

/** How far charts look back. */
export type Range = (typeof RANGES)[number][0]

/** Chooses it. */
export function RangeChoice(props: {
  readonly value: Range
  readonly onChange: (range: Range) => void
}): JSX.Element {
  return <Choice label="Time range" options={RANGES} {...props} />
}
