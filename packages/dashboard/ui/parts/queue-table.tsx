import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { WireHistory, WireQueue, WireQueueHistory } from '../../src/wire.ts'
import { count, number, percent, short, span } from '../format.ts'
import { jobsPath, Link, queuePath } from '../router.tsx'
import { session } from '../session.ts'
import { type Column, Columns } from './columns.tsx'
import { Card, Empty } from './page-parts.tsx'
import { PauseButton } from './pause-button.tsx'
import { Sparkline } from './sparkline.tsx'

/** From this share of failed attempts on, the figure stands out. */
const BAD_SHARE = 0.05
/** From so many queues on they can be narrowed down by name, and no more than so many rows are drawn. */
const MANY = 12
const MOST_ROWS = 200

const COLUMNS: readonly Column[] = [
  ['Queue'],
  ['Throughput', 'wide'],
  ['Due', 'num'],
  ['Running', 'num'],
  ['Delayed', 'num wide'],
  ['Oldest', 'num'],
  ['Failures', 'num wide'],
  ['Dead', 'num'],
]

/** The queues, one a row. */
export function QueueTable({
  queues,
  history,
}: {
  readonly queues: readonly WireQueue[]
  readonly history: WireHistory | undefined
}): JSX.Element {
  const [part, setPart] = useState('')
  const matching = queues.filter(({ queue }) => queue.toLowerCase().includes(part.toLowerCase()))
  const pasts = new Map((history?.queues ?? []).map((past) => [past.queue, past]))
  return (
    <Card
      title={`${number(queues.length)} ${queues.length === 1 ? 'queue' : 'queues'}`}
      flush
      aside={
        queues.length > MANY && (
          <input
            type="search"
            class="narrow-down"
            aria-label="Queues whose name contains"
            placeholder="Filter by name"
            value={part}
            onInput={(event) => setPart(event.currentTarget.value)}
          />
        )
      }
    >
      {queues.length === 0 ? (
        <Empty title="No queues yet">A queue appears with its first job.</Empty>
      ) : (
        <div class="scroll">
          <table>
            <Columns columns={COLUMNS} actions={session.canWrite ? 'wide' : undefined} />
            <tbody>
              {matching.slice(0, MOST_ROWS).map((queue) => (
                <QueueRow key={queue.queue} queue={queue} past={pasts.get(queue.queue)} history={history} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {matching.length > MOST_ROWS && (
        <p class="more faint">{number(matching.length - MOST_ROWS)} more: filter by name to see them.</p>
      )}
    </Card>
  )
}

function QueueRow({
  queue,
  past,
  history,
}: {
  readonly queue: WireQueue
  readonly past: WireQueueHistory | undefined
  readonly history: WireHistory | undefined
}): JSX.Element {
  const { queue: name, due, delayed, processing, dead, oldestDueMs, pausedAt } = queue
  const { completed, failed, ended } = past ?? { completed: [], failed: 0, ended: 0 }
  return (
    <tr>
      <th scope="row">
        <Link to={queuePath(name)} class="name">
          {name}
        </Link>
        {pausedAt !== null && <span class="tag tag-warn">Paused</span>}
      </th>
      <td class="wide">
        <span class="row">
          <Sparkline values={completed} />
          <span class="faint">{short(perMinute(completed, history))}/min</span>
        </span>
      </td>
      <td class="num">
        <Link to={jobsPath({ queue: name, status: 'pending,failed' })}>{count(due)}</Link>
      </td>
      <td class="num">
        <Link to={jobsPath({ queue: name, status: 'processing' })}>{short(processing)}</Link>
      </td>
      <td class="num wide">{count(delayed)}</td>
      <td class="num">{oldestDueMs === null ? <span class="faint">–</span> : span(oldestDueMs)}</td>
      <td class={failed > ended * BAD_SHARE ? 'num wide tone-bad' : 'num wide'}>{percent(failed, ended)}</td>
      <td class="num">
        <Link to={jobsPath({ queue: name, status: 'dead' })} class={dead.jobs > 0 ? 'tone-bad' : 'faint'}>
          {count(dead)}
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

function perMinute(completed: readonly number[], history: WireHistory | undefined): number {
  if (!history) return 0
  const minutes = (history.points.length * history.periodMs) / 60_000
  return completed.reduce((sum, value) => sum + value, 0) / minutes
}
