import type { JSX } from 'preact'
import type { WireDeadGroup } from '../../src/wire.ts'
import { useAsked } from '../api.ts'
import { number } from '../format.ts'
import { actOnAll } from '../job-actions.ts'
import { Card, Empty, PageHead, Trouble } from '../parts/page-parts.tsx'
import { When } from '../parts/when.tsx'
import { jobPath, jobsPath, Link, queuePath } from '../router.tsx'
import { session } from '../session.ts'

/** Dead jobs, by what they died of. */
export function DeadPage(): JSX.Element {
  const { data, error, refresh } = useAsked<WireDeadGroup[]>('dead', 5_000)
  return (
    <>
      <PageHead title="Dead letters" />
      {error && <Trouble text={error} />}
      {data && (
        <Card title="By error" flush aside={<span class="faint">of the newest 10,000</span>}>
          {data.length === 0 ? (
            <Empty title="Nothing is dead">Jobs whose last attempt fails end up here.</Empty>
          ) : (
            <ul class="groups">
              {data.map((group) => (
                <Group
                  key={`${group.queue} ${group.pattern || group.sampleId}`}
                  group={group}
                  onDone={refresh}
                />
              ))}
            </ul>
          )}
        </Card>
      )}
    </>
  )
}

function Group({
  group,
  onDone,
}: {
  readonly group: WireDeadGroup
  readonly onDone: () => void
}): JSX.Element {
  const filter = { queue: group.queue, status: 'dead', error: group.needle ?? undefined }
  const act = (action: 'redrive' | 'delete'): void => void actOnAll(action, filter, onDone)
  return (
    <li class="group">
      <span class="group-count">{number(group.jobs)}</span>
      <div class="group-text">
        <Link to={jobPath(group.sampleId)} class="group-pattern">
          {group.sample || 'No message'}
        </Link>
        <p class="faint">
          <Link to={queuePath(group.queue)}>{group.queue}</Link> · last <When at={group.lastAt} /> · first{' '}
          <When at={group.firstAt} />
        </p>
      </div>
      <div class="row">
        <Link to={jobsPath(filter)} class="button small">
          Jobs
        </Link>
        {session.canWrite && group.needle !== null && (
          <>
            <button type="button" class="button small" onClick={() => act('redrive')}>
              Redrive
            </button>
            <button type="button" class="button small quiet-danger" onClick={() => act('delete')}>
              Delete
            </button>
          </>
        )}
      </div>
    </li>
  )
}
