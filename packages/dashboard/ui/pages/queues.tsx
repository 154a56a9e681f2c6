import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { WireDone, WirePeriods, WireQueue } from '../../src/wire.ts'
import { post, useAsked } from '../api.ts'
import { count, percent, short, span } from '../format.ts'
import type { Live } from '../live.ts'
import { confirmThen, doNow } from '../parts/confirm.tsx'
import { QualityCharts, ThroughputChart } from '../parts/history-charts.tsx'
import { Icon } from '../parts/icons.tsx'
import { Card, Choice, Empty, Figure, PageHead, Trouble } from '../parts/page-parts.tsx'
import { Sparkline } from '../parts/sparkline.tsx'
import { jobsPath, Link, queuePath } from '../router.tsx'
import { pointsOf, totalOf } from '../series.ts'
import { session } from '../session.ts'

export const RANGES = [
  ['1h', 'Hour'],
  ['6h', '6 hours'],
  ['24h', 'Day'],
] as const
export type Range = (typeof RANGES)[number][0]
const REFRESH_MS = 10_000
/** From this share of failed attempts on, the figure stands out. */
const BAD_SHARE = 0.05

/** All queues at a glance. */
export function QueuesPage({ live }: { readonly live: Live }): JSX.Element {
  const [range, setRange] = useState<Range>('1h')
  const history = useAsked<WirePeriods>(`periods?since=${range}`, REFRESH_MS)
  const queues = everyQueue(live.queues, history.data)
  return (
    <>
      <PageHead title="Queues">
        <Choice label="Time range" options={RANGES} value={range} onChange={setRange} />
      </PageHead>
      {history.error && <Trouble text={history.error} />}
      <Totals queues={queues} />
      {history.data && <ThroughputChart history={history.data} />}
      <Card title="Queues" flush aside={<span class="faint">{queues.length}</span>}>
        {queues.length === 0 ? (
          <Empty title="No queues yet">A queue appears with its first job.</Empty>
        ) : (
          <div class="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Queue</th>
                  <th scope="col" class="wide">
                    Throughput
                  </th>
                  <th scope="col" class="num">
                    Due
                  </th>
                  <th scope="col" class="num">
                    Running
                  </th>
                  <th scope="col" class="num wide">
                    Delayed
                  </th>
                  <th scope="col" class="num">
                    Oldest
                  </th>
                  <th scope="col" class="num wide">
                    Failures
                  </th>
                  <th scope="col" class="num">
                    Dead
                  </th>
                  {session.canWrite && (
                    <th scope="col" class="wide">
                      <span class="sr">Actions</span>
                    </th>
                  )}
                </tr>
              </thead>
              <tbody>
                {queues.map((queue) => (
                  <QueueRow key={queue.queue} queue={queue} history={history.data} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
      {history.data && <QualityCharts history={history.data} />}
    </>
  )
}

function Totals({ queues }: { readonly queues: readonly WireQueue[] }): JSX.Element {
  const sum = (of: (queue: WireQueue) => number): number => queues.reduce((total, queue) => total + of(queue), 0)
  const due = { jobs: sum((q) => q.due.jobs), isMore: queues.some((q) => q.due.isMore) }
  const delayed = { jobs: sum((q) => q.delayed.jobs), isMore: queues.some((q) => q.delayed.isMore) }
  const dead = { jobs: sum((q) => q.dead.jobs), isMore: queues.some((q) => q.dead.isMore) }
  const oldest = Math.max(0, ...queues.map((q) => q.oldestDueMs ?? 0))
  return (
    <dl class="figures">
      <Figure label="Due now" value={count(due)} hint={`${count(delayed)} delayed`} />
      <Figure label="Running" value={short(sum((q) => q.processing))} />
      <Figure
        label="Oldest waiting"
        value={oldest > 0 ? span(oldest) : 'none'}
        tone={oldest > 300_000 ? 'warn' : undefined}
      />
      <Figure label="Dead" value={<Link to="dead">{count(dead)}</Link>} tone={dead.jobs > 0 ? 'bad' : undefined} />
    </dl>
  )
}

function QueueRow({
  queue,
  history,
}: {
  readonly queue: WireQueue
  readonly history: WirePeriods | undefined
}): JSX.Element {
  const points = history ? pointsOf(history, queue.queue) : []
  const total = totalOf(points)
  const perMinute = history ? total.completed / (history.sinceMs / 60_000) : 0
  return (
    <tr>
      <th scope="row">
        <Link to={queuePath(queue.queue)} class="name">
          {queue.queue}
        </Link>
        {queue.pausedAt !== null && <span class="tag tag-warn">Paused</span>}
      </th>
      <td class="wide">
        <span class="row">
          <Sparkline values={points.map(({ completed }) => completed)} />
          <span class="faint">{short(perMinute)}/min</span>
        </span>
      </td>
      <td class="num">
        <Link to={jobsPath({ queue: queue.queue, status: 'pending,failed' })}>{count(queue.due)}</Link>
      </td>
      <td class="num">
        <Link to={jobsPath({ queue: queue.queue, status: 'processing' })}>{short(queue.processing)}</Link>
      </td>
      <td class="num wide">{count(queue.delayed)}</td>
      <td class="num">{queue.oldestDueMs === null ? <span class="faint">–</span> : span(queue.oldestDueMs)}</td>
      <td class={total.failed > total.ended * BAD_SHARE ? 'num wide tone-bad' : 'num wide'}>{percent(total.failed, total.ended)}</td>
      <td class="num">
        <Link
          to={jobsPath({ queue: queue.queue, status: 'dead' })}
          class={queue.dead.jobs > 0 ? 'tone-bad' : 'faint'}
        >
          {count(queue.dead)}
        </Link>
      </td>
      {session.canWrite && (
        <td class="num wide">
          <PauseButton queue={queue} />
        </td>
      )}
    </tr>
  )
}

/** Pauses a queue after a question, resumes it without one. */
export function PauseButton({ queue }: { readonly queue: WireQueue }): JSX.Element {
  const { queue: name, pausedAt } = queue
  const change = async (verb: 'pause' | 'resume'): Promise<string> => {
    await post<WireDone>(`queues/${verb}`, { name })
    return verb === 'pause' ? `${name} is paused.` : `${name} goes on.`
  }
  const onClick = (): void => {
    if (pausedAt !== null) return void doNow(() => change('resume'))
    confirmThen({
      title: `Pause ${name}?`,
      text: 'No worker takes jobs of it until it is resumed. Those that run go on.',
      verb: 'Pause',
      run: () => change('pause'),
    })
  }
  const verb = pausedAt === null ? 'Pause' : 'Resume'
  return (
    <button type="button" class="button small" onClick={onClick} aria-label={`${verb} ${name}`}>
      <Icon name={pausedAt === null ? 'pause' : 'play'} />
      {verb}
    </button>
  )
}

const NONE = { jobs: 0, isMore: false }

/** Queues that have jobs, and those that did something of late and are empty now. */
export function everyQueue(
  queues: readonly WireQueue[] | undefined,
  history: WirePeriods | undefined,
): readonly WireQueue[] {
  const known = new Map((queues ?? []).map((queue) => [queue.queue, queue]))
  for (const { queue } of history?.periods ?? [])
    if (!known.has(queue)) known.set(queue, emptyQueue(queue))
  return [...known.values()].toSorted((a, b) => (a.queue < b.queue ? -1 : 1))
}

/** A queue without jobs. */
export const emptyQueue = (queue: string): WireQueue => ({
  queue,
  due: NONE,
  delayed: NONE,
  processing: 0,
  dead: NONE,
  cancelled: NONE,
  oldestDueMs: null,
  pausedAt: null,
  pausedReason: null,
})
