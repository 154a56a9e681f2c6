import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { WireHistory } from '../../src/wire.ts'
import { useAsked } from '../api.ts'
import { count, short, span } from '../format.ts'
import type { Live } from '../live.ts'
import { QualityCharts, ThroughputChart } from '../parts/history-charts.tsx'
import { Figure, PageHead, Trouble } from '../parts/page-parts.tsx'
import { PauseButton } from '../parts/pause-button.tsx'
import { type Range, RangeChoice } from '../parts/range-choice.tsx'
import { When } from '../parts/when.tsx'
import { emptyQueue } from '../queue-list.ts'
import { jobsPath, Link } from '../router.tsx'
import { session } from '../session.ts'

/** One queue. */
export function QueuePage({ live, name }: { readonly live: Live; readonly name: string }): JSX.Element {
  const [range, setRange] = useState<Range>('1h')
  const history = useAsked<WireHistory>(`history?since=${range}&queue=${encodeURIComponent(name)}`, 10_000)
  const queue = live.queues?.find((one) => one.queue === name) ?? emptyQueue(name)
  return (
    <>
      <PageHead title={name} eyebrow={<Link to="">Queues</Link>}>
        <RangeChoice value={range} onChange={setRange} />
        <Link to={jobsPath({ queue: name })} class="button small">
          All jobs
        </Link>
        {session.canWrite && <PauseButton queue={queue} />}
      </PageHead>
      {queue.pausedAt !== null && (
        <p class="callout">
          Paused <When at={queue.pausedAt} />
          {queue.pausedReason && `: ${queue.pausedReason}`}
        </p>
      )}
      {history.error && <Trouble text={history.error} />}
      <dl class="figures">
        <Figure
          label="Due now"
          value={<Link to={jobsPath({ queue: name, status: 'pending,failed' })}>{count(queue.due)}</Link>}
          hint={`${count(queue.delayed)} delayed`}
        />
        <Figure
          label="Running"
          value={<Link to={jobsPath({ queue: name, status: 'processing' })}>{short(queue.processing)}</Link>}
        />
        <Figure
          label="Oldest waiting"
          value={queue.oldestDueMs === null ? 'none' : span(queue.oldestDueMs)}
        />
        <Figure
          label="Dead"
          value={<Link to={jobsPath({ queue: name, status: 'dead' })}>{count(queue.dead)}</Link>}
          tone={queue.dead.jobs > 0 ? 'bad' : undefined}
          hint={`${count(queue.cancelled)} cancelled`}
        />
      </dl>
      {history.data && <ThroughputChart history={history.data} />}
      {history.data && <QualityCharts history={history.data} />}
    </>
  )
}
