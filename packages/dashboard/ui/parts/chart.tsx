import type { JSX, RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { clock } from '../format.ts'

/** One thing that a chart shows. */
export interface Series {
  readonly name: string
  /** A class of the style sheet, which gives the colour. */
  readonly color: 'good' | 'bad' | 'accent' | 'quiet'
  /** One for each time; null where there is nothing to say. */
  readonly values: readonly (number | null)[]
}

interface ChartProps {
  readonly label: string
  /** What it says as a whole, for those who don't see it. */
  readonly summary: string
  readonly times: readonly number[]
  readonly series: readonly Series[]
  /** Bars stand on each other, lines on their own. */
  readonly kind: 'bars' | 'lines'
  readonly format: (value: number) => string
  /** The top of the scale is at least this. */
  readonly atLeast?: number
}

const HEIGHT = 160
const LEFT = 44
const BOTTOM = 22
const TOP = 8

/** A chart by hand. Its points are read with the pointer, or with the arrow keys: to a screen reader it is a slider over the time, with a summary. */
export function Chart({ label, summary, times, series, kind, format, atLeast = 0 }: ChartProps): JSX.Element {
  const [frame, width] = useWidth()
  const [shown, setShown] = useState<number>()
  const plot = width - LEFT - 4
  const step = plot / Math.max(1, times.length)
  const top = niceTop(Math.max(atLeast, highest(series, kind, times.length)))
  const y = (value: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)
  const x = (index: number): number => LEFT + step * (index + 0.5)
  const pointAt = (clientX: number): number => {
    const left = frame.current?.getBoundingClientRect().left ?? 0
    return Math.min(times.length - 1, Math.max(0, Math.floor((clientX - left - LEFT) / step)))
  }
  const onKey = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (by === undefined) return event.key === 'Escape' ? setShown(undefined) : undefined
    event.preventDefault()
    setShown((at) => Math.min(times.length - 1, Math.max(0, (at ?? times.length) + by)))
  }
  return (
    <div
      class="chart"
      ref={frame}
      tabIndex={0}
      role="slider"
      aria-roledescription="chart"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={times.length - 1}
      aria-valuenow={shown ?? times.length - 1}
      aria-valuetext={
        shown === undefined ? summary : `${clock(times[shown] ?? 0)}: ${spoken(series, shown, format)}`
      }
      onPointerMove={(event) => setShown(pointAt(event.clientX))}
      onPointerLeave={() => setShown(undefined)}
      onBlur={() => setShown(undefined)}
      onKeyDown={onKey}
    >
      <svg width={width} height={HEIGHT} aria-hidden="true">
        {[0, top / 2, top].map((value) => (
          <g key={value}>
            <line class="grid" x1={LEFT} x2={width - 4} y1={y(value)} y2={y(value)} />
            <text class="tick" x={LEFT - 8} y={y(value) + 4} text-anchor="end">
              {format(value)}
            </text>
          </g>
        ))}
        {labelled(times, plot).map((index) => (
          <text key={index} class="tick" x={x(index)} y={HEIGHT - 4} text-anchor="middle">
            {clock(times[index] ?? 0)}
          </text>
        ))}
        {shown !== undefined && (
          <rect class="cursor" x={LEFT + step * shown} width={step} y={TOP} height={HEIGHT - TOP - BOTTOM} />
        )}
        {kind === 'bars' ? bars(series, times.length, { x, y, step }) : lines(series, { x, y })}
      </svg>
      {shown !== undefined && (
        <div
          class={shown > times.length / 2 ? 'tip tip-left' : 'tip'}
          style={{ left: `${x(shown)}px` }}
          aria-hidden="true"
        >
          <strong>{clock(times[shown] ?? 0)}</strong>
          {series.map(({ name, color, values }) => (
            <span key={name}>
              <i class={`key fill-${color}`} />
              {name} <b>{valueText(values[shown], format)}</b>
            </span>
          ))}
        </div>
      )}
    </div>
  )
}

/** What the colours mean. */
export function Legend({
  series,
}: {
  readonly series: readonly Pick<Series, 'name' | 'color'>[]
}): JSX.Element {
  return (
    <div class="legend" aria-hidden="true">
      {series.map(({ name, color }) => (
        <span key={name}>
          <i class={`key fill-${color}`} />
          {name}
        </span>
      ))}
    </div>
  )
}

interface Scale {
  readonly x: (index: number) => number
  readonly y: (value: number) => number
}

function bars(
  series: readonly Series[],
  length: number,
  { x, y, step }: Scale & { step: number },
): JSX.Element[] {
  const width = Math.max(1, Math.min(14, step - 2))
  return Array.from({ length }, (_, index) => {
    let base = 0
    return series.map(({ name, color, values }) => {
      const value = values[index] ?? 0
      if (value === 0) return null
      const [low, high] = [y(base), y((base += value))]
      // Whatever there is can be seen.
      const height = Math.max(1.5, low - high)
      return (
        <rect
          key={`${name}${index}`}
          class={`fill-${color}`}
          x={x(index) - width / 2}
          y={low - height}
          width={width}
          height={height}
          rx={Math.min(1.5, width / 2)}
        />
      )
    })
  }).flat() as JSX.Element[]
}

function lines(series: readonly Series[], { x, y }: Scale): JSX.Element[] {
  return series.map(({ name, color, values }) => (
    <g key={name}>
      <path class={`line stroke-${color}`} d={linePath(values, x, y)} />
      {values.map((value, index) =>
        value !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null ? (
          <circle key={index} class={`fill-${color}`} cx={x(index)} cy={y(value)} r={2} />
        ) : null,
      )}
    </g>
  ))
}

/** A line with gaps where nothing is known. */
export function linePath(
  values: readonly (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  return values
    .map((value, index) => {
      if (value === null) return ''
      const isStart = index === 0 || (values[index - 1] ?? null) === null
      return `${isStart ? 'M' : 'L'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`
    })
    .join('')
}

function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const frame = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(600)
  useEffect(() => {
    if (!frame.current) return undefined
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width))
    observer.observe(frame.current)
    return () => observer.disconnect()
  }, [])
  return [frame, width]
}

function highest(series: readonly Series[], kind: ChartProps['kind'], length: number): number {
  let most = 0
  for (let index = 0; index < length; index++) {
    const values = series.map(({ values: all }) => all[index] ?? 0)
    most = Math.max(
      most,
      kind === 'bars' ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values),
    )
  }
  return most
}

/** The next round number, so that the half of it is a fair one too. */
function niceTop(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power
}

/** Which times get a label: a few of them, at even distances. */
function labelled(times: readonly number[], plot: number): number[] {
  const most = Math.max(2, Math.floor(plot / 90))
  const every = Math.max(1, Math.ceil(times.length / most))
  return times.map((_, index) => index).filter((index) => index % every === Math.floor(every / 2))
}

const valueText = (value: number | null | undefined, format: ChartProps['format']): string =>
  value === null || value === undefined ? '–' : format(value)

const spoken = (series: readonly Series[], index: number, format: ChartProps['format']): string =>
  series.map(({ name, values }) => `${name} ${valueText(values[index], format)}`).join(', ')
