import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { WireHistory, WireQueue } from '../../src/wire.ts'
import { useAsked } from '../api.ts'
import { count, short, span } from '../format.ts'
import type { Live } from '../live.ts'
import { QualityCharts, ThroughputChart } from '../parts/history-charts.tsx'
import { Figure, PageHead, Trouble } from '../parts/page-parts.tsx'
import { QueueTable } from '../parts/queue-table.tsx'
import { type Range, RangeChoice } from '../parts/range-choice.tsx'
import { everyQueue } from '../queue-list.ts'
import { Link } from '../router.tsx'

/** How often what was done is asked for again, in ms. */
const REFRESH_MS = 10_000
/** A job that waits for longer stands out, in ms. */
const LONG_MS = 300_000

/** All queues at a glance. */
export function QueuesPage({ live }: { readonly live: Live }): JSX.Element {
  const [range, setRange] = useState<Range>('1h')
  const history = useAsked<WireHistory>(`history?since=${range}`, REFRESH_MS)
  const queues = everyQueue(live.queues, history.data)
  return (
    <>
      <PageHead title="Queues">
        <RangeChoice value={range} onChange={setRange} />
      </PageHead>
      {history.error && <Trouble text={history.error} />}
      <Totals queues={queues} />
      {history.data && <ThroughputChart history={history.data} />}
      {live.queues && <QueueTable queues={queues} history={history.data} />}
      {history.data && <QualityCharts history={history.data} />}
    </>
  )
}

function Totals({ queues }: { readonly queues: readonly WireQueue[] }): JSX.Element {
  const all = (of: (queue: WireQueue) => WireQueue['due']): WireQueue['due'] => ({
    jobs: queues.reduce((sum, queue) => sum + of(queue).jobs, 0),
    isMore: queues.some((queue) => of(queue).isMore),
  })
  const dead = all((queue) => queue.dead)
  const running = queues.reduce((sum, queue) => sum + queue.processing, 0)
  const oldest = Math.max(0, ...queues.map((queue) => queue.oldestDueMs ?? 0))
  return (
    <dl class="figures">
      <Figure
        label="Due now"
        value={count(all((queue) => queue.due))}
        hint={`${count(all((queue) => queue.delayed))} delayed`}
      />
      <Figure label="Running" value={short(running)} />
      <Figure
        label="Oldest waiting"
        value={oldest > 0 ? span(oldest) : 'none'}
        tone={oldest > LONG_MS ? 'warn' : undefined}
      />
      <Figure
        label="Dead"
        value={<Link to="dead">{count(dead)}</Link>}
        tone={dead.jobs > 0 ? 'bad' : undefined}
      />
    </dl>
  )
}
