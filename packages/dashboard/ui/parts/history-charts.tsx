import type { JSX } from 'preact'
import type { WireHistory, WirePoint } from '../../src/wire.ts'
import { number, percent, short, span } from '../format.ts'
import { timesOf, totalOf } from '../series.ts'
import { Chart, Legend, type Series } from './chart.tsx'
import { Card } from './page-parts.tsx'

interface HistoryProps {
  readonly history: WireHistory
}

/** How much was done over time, and how much of it failed. */
export function ThroughputChart({ history }: HistoryProps): JSX.Element {
  const { points } = history
  const total = totalOf(points)
  const minutes = history.periodMs / 60_000
  const series: Series[] = [
    { name: 'Completed', color: 'accent', values: points.map(({ completed }) => completed / minutes) },
    { name: 'Failed', color: 'bad', values: points.map(({ failed }) => failed / minutes) },
  ]
  return (
    <Card title="Throughput per minute" aside={<Legend series={series} />}>
      <Chart
        kind="bars"
        times={timesOf(history)}
        series={series}
        format={short}
        atLeast={4}
        label="Throughput per minute"
        summary={`${number(total.completed)} attempts completed and ${number(total.failed)} failed`}
      />
    </Card>
  )
}

/** Which part of the attempts failed, and how long jobs waited and ran. */
export function QualityCharts({ history }: HistoryProps): JSX.Element {
  const { points } = history
  const total = totalOf(points)
  const times = timesOf(history)
  const failures: Series[] = [
    { name: 'Failure rate', color: 'bad', values: points.map((point) => share(point.failed, point)) },
  ]
  const lengths: Series[] = [
    { name: 'Waited', color: 'quiet', values: points.map((point) => share(point.waitedMs, point)) },
    { name: 'Ran', color: 'accent', values: points.map((point) => share(point.ranMs, point)) },
  ]
  return (
    <div class="charts">
      <Card
        title="Failure rate"
        aside={<span class="faint">{percent(total.failed, total.ended)} overall</span>}
      >
        <Chart
          kind="lines"
          times={times}
          series={failures}
          format={(value) => percent(value, 1)}
          atLeast={0.1}
          label="Failure rate"
          summary={`${percent(total.failed, total.ended)} overall`}
        />
      </Card>
      <Card title="Average time" aside={<Legend series={lengths} />}>
        <Chart
          kind="lines"
          times={times}
          series={lengths}
          format={span}
          atLeast={10}
          label="Average time"
          summary={`waited ${span(share(total.waitedMs, total) ?? 0)}, ran ${span(share(total.ranMs, total) ?? 0)}`}
        />
      </Card>
    </div>
  )
}

const share = (part: number, { ended }: Pick<WirePoint, 'ended'>): number | null =>
  ended === 0 ? null : part / ended
