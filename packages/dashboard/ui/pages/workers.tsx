import type { JSX } from 'preact'
import type { WireWorker } from '../../src/wire.ts'
import { useAsked } from '../api.ts'
import { number, span } from '../format.ts'
import { type Column, Columns } from '../parts/columns.tsx'
import { Card, Empty, PageHead, Trouble } from '../parts/page-parts.tsx'
import { useNow, When } from '../parts/when.tsx'
import { Link, queuePath } from '../router.tsx'

const COLUMNS: readonly Column[] = [
  ['Worker'],
  ['State'],
  ['Busy', 'num'],
  ['Running'],
  ['Heartbeat', 'num wide'],
  ['Started', 'num wide'],
]

/** Who works. */
export function WorkersPage(): JSX.Element {
  const { data, error } = useAsked<WireWorker[]>('workers', 3_000)
  return (
    <>
      <PageHead title="Workers" />
      {error && <Trouble text={error} />}
      {data && (
        <Card title="Alive" flush aside={<span class="faint">{number(data.length)}</span>}>
          {data.length === 0 ? (
            <Empty title="No worker is alive">Jobs wait until one starts.</Empty>
          ) : (
            <div class="scroll">
              <table>
                <Columns columns={COLUMNS} />
                <tbody>
                  {data.map((worker) => (
                    <WorkerRow key={worker.id} worker={worker} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Card>
      )}
    </>
  )
}

function WorkerRow({ worker }: { readonly worker: WireWorker }): JSX.Element {
  const now = useNow()
  const busy = worker.running.reduce((sum, { jobs }) => sum + jobs, 0)
  return (
    <tr>
      <th scope="row">
        <span class="name">{worker.name}</span>
        <span class="faint block">
          {worker.hostname} · {worker.pid}
        </span>
      </th>
      <td>
        <span class={worker.state === 'alive' ? 'status status-completed' : 'status status-dead'}>
          <span class="dot" aria-hidden="true" />
          {worker.state === 'alive' ? 'Alive' : 'Late'}
        </span>
      </td>
      <td class="num">
        {number(busy)}
        <span class="faint"> / {number(worker.concurrency)}</span>
      </td>
      <td>
        {worker.running.length === 0 && <span class="faint">idle, for {worker.queues.join(', ')}</span>}
        {worker.running.map(({ queue, jobs, since }) => (
          <span key={queue} class="block">
            <Link to={queuePath(queue)}>{queue}</Link> {number(jobs)}
            <span class="faint"> · longest {span(Math.max(0, now - since))}</span>
          </span>
        ))}
      </td>
      <td class="num wide">
        <When at={worker.heartbeatAt} />
      </td>
      <td class="num wide">
        <When at={worker.startedAt} />
      </td>
    </tr>
  )
}
