import type { JSX } from 'preact'
import { linePath } from './chart.tsx'

const WIDTH = 96
const HEIGHT = 24

/** A line that says how it went. The figure beside it says what it is. */
export function Sparkline({ values }: { readonly values: readonly number[] }): JSX.Element {
  if (values.length === 0) return <svg class="sparkline" width={WIDTH} height={HEIGHT} aria-hidden="true" />
  const top = Math.max(1, ...values)
  const x = (index: number): number => (index / Math.max(1, values.length - 1)) * WIDTH
  const y = (value: number): number => HEIGHT - 2 - (value / top) * (HEIGHT - 4)
  const line = linePath(values, x, y)
  return (
    <svg class="sparkline" width={WIDTH} height={HEIGHT} aria-hidden="true">
      <path class="area" d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
      <path class="line stroke-accent" d={line} />
    </svg>
  )
}
