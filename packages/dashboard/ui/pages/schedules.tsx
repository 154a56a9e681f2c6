import type { JSX } from 'preact'
import type { WireDone, WireSchedule } from '../../src/wire.ts'
import { post, useAsked } from '../api.ts'
import { number } from '../format.ts'
import { type Column, Columns } from '../parts/columns.tsx'
import { confirmThen, doNow } from '../parts/confirm.tsx'
import { Card, Empty, PageHead, Trouble } from '../parts/page-parts.tsx'
import { When } from '../parts/when.tsx'
import { jobPath, Link, queuePath } from '../router.tsx'
import { session } from '../session.ts'

const COLUMNS: readonly Column[] = [
  ['Schedule'],
  ['When'],
  ['Queue', 'wide'],
  ['Next', 'num'],
  ['Last', 'num wide'],
]

/** What is enqueued by the clock. */
export function SchedulesPage(): JSX.Element {
  const { data, error, refresh } = useAsked<WireSchedule[]>('schedules', 5_000)
  return (
    <>
      <PageHead title="Schedules" />
      {error && <Trouble text={error} />}
      {data && (
        <Card title="By name" flush aside={<span class="faint">{number(data.length)}</span>}>
          {data.length === 0 ? (
            <Empty title="No schedules">They are declared in code, or made with pgq.schedules.</Empty>
          ) : (
            <div class="scroll">
              <table>
                <Columns columns={COLUMNS} actions={session.canWrite ? 'always' : undefined} />
                <tbody>
                  {data.map((schedule) => (
                    <ScheduleRow key={schedule.name} schedule={schedule} onDone={refresh} />
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

function ScheduleRow({
  schedule,
  onDone,
}: {
  readonly schedule: WireSchedule
  readonly onDone: () => void
}): JSX.Element {
  const { name, pausedAt } = schedule
  return (
    <tr>
      <th scope="row">
        <span class="name">{name}</span>
        <ScheduleTags schedule={schedule} />
      </th>
      <td>
        <code>{schedule.rule}</code>
      </td>
      <td class="wide">
        <Link to={queuePath(schedule.queue)}>{schedule.queue}</Link>
      </td>
      <td class="num">{pausedAt === null ? <When at={schedule.nextAt} /> : <span class="faint">–</span>}</td>
      <td class="num wide">
        {schedule.lastJobId === null ? (
          <When at={schedule.lastAt} />
        ) : (
          <Link to={jobPath(schedule.lastJobId)}>
            <When at={schedule.lastAt} />
          </Link>
        )}
      </td>
      {session.canWrite && (
        <td class="num">
          <ScheduleActions schedule={schedule} onDone={onDone} />
        </td>
      )}
    </tr>
  )
}

function ScheduleTags({ schedule }: { readonly schedule: WireSchedule }): JSX.Element {
  return (
    <>
      {schedule.pausedAt !== null && <span class="tag tag-warn">Paused</span>}
      {schedule.finishedAt !== null && <span class="tag">Finished</span>}
      {schedule.retiredAt !== null && <span class="tag">No longer declared</span>}
      {schedule.error !== null && <span class="tone-bad block">{schedule.error}</span>}
    </>
  )
}

function ScheduleActions({
  schedule: { name, pausedAt },
  onDone,
}: {
  readonly schedule: WireSchedule
  readonly onDone: () => void
}): JSX.Element {
  const call = async (verb: 'run' | 'pause' | 'resume', said: string): Promise<string> => {
    await post<WireDone>(`schedules/${verb}`, { name })
    onDone()
    return said
  }
  const pauseOrResume = (): void => {
    if (pausedAt !== null) return void doNow(() => call('resume', `${name} goes on.`))
    confirmThen({
      title: `Pause ${name}?`,
      text: 'It enqueues nothing until it is resumed.',
      verb: 'Pause',
      run: () => call('pause', `${name} is paused.`),
    })
  }
  const run = (): void =>
    confirmThen({
      title: `Run ${name} now?`,
      text: 'It enqueues a job at once. When it is due next stays as it is.',
      verb: 'Run now',
      run: () => call('run', `${name} has enqueued a job.`),
    })
  return (
    <span class="row end">
      <button type="button" class="button small" onClick={run} aria-label={`Run ${name} now`}>
        Run now
      </button>
      <button
        type="button"
        class="button small"
        onClick={pauseOrResume}
        aria-label={`${pausedAt === null ? 'Pause' : 'Resume'} ${name}`}
      >
        {pausedAt === null ? 'Pause' : 'Resume'}
      </button>
    </span>
  )
}
