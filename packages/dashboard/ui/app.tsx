import type { JSX } from 'preact'
import { useEffect, useErrorBoundary, useState } from 'preact/hooks'
import type { WireQueue } from '../src/wire.ts'
import { messageOf } from './api.ts'
import { count } from './format.ts'
import { useLive } from './live.ts'
import { DeadPage } from './pages/dead.tsx'
import { JobPage } from './pages/job.tsx'
import { JobsPage } from './pages/jobs.tsx'
import { QueuePage } from './pages/queue.tsx'
import { QueuesPage } from './pages/queues.tsx'
import { SchedulesPage } from './pages/schedules.tsx'
import { WorkersPage } from './pages/workers.tsx'
import { Confirm } from './parts/confirm.tsx'
import { Icon } from './parts/icons.tsx'
import { Notices } from './parts/notices.tsx'
import { PageHead, Trouble } from './parts/page-parts.tsx'
import type { Live } from './live.ts'
import { Link, type Place, usePlace } from './router.tsx'
import { session } from './session.ts'
import { currentTheme, onSystemTheme, setTheme } from './theme.ts'

const PLACES = [
  ['', 'queues', 'Queues'],
  ['jobs', 'jobs', 'Jobs'],
  ['dead', 'dead', 'Dead letters'],
  ['schedules', 'schedules', 'Schedules'],
  ['workers', 'workers', 'Workers'],
] as const

/** The frame around the pages. */
export function App(): JSX.Element {
  const place = usePlace()
  const [section, id] = place.parts
  const live = useLive(section === 'jobs' && id ? id : undefined)
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to content
      </button>
      <div class="shell">
        <Sidebar place={place} live={live} />
        <main id="main" tabIndex={-1}>
          <SafePage key={`${place.path} ${place.search.get('name') ?? ''}`} place={place} live={live} />
        </main>
      </div>
      <Confirm />
      <Notices />
    </>
  )
}

/** A page that breaks says so, and leaves the frame around it as it is. */
function SafePage(props: { readonly place: Place; readonly live: Live }): JSX.Element {
  const [error] = useErrorBoundary()
  return error ? <Trouble text={`This page broke: ${messageOf(error)}`} /> : <CurrentPage {...props} />
}

function CurrentPage({ place, live }: { readonly place: Place; readonly live: Live }): JSX.Element {
  const [section, id] = place.parts
  const name = place.search.get('name')
  if (section === '') return <QueuesPage live={live} />
  if (section === 'queue' && name !== null) return <QueuePage name={name} live={live} />
  if (section === 'jobs') return id ? <JobPage id={id} /> : <JobsPage place={place} live={live} />
  if (section === 'dead') return <DeadPage />
  if (section === 'schedules') return <SchedulesPage />
  if (section === 'workers') return <WorkersPage />
  return <PageHead title="There is no such page" />
}

function Sidebar({ place, live }: { readonly place: Place; readonly live: Live }): JSX.Element {
  const [section] = place.parts
  const current = section === 'queue' ? '' : section
  const dead = deadCount(live.queues ?? [])
  return (
    <header class="sidebar">
      <div class="brand">
        <span class="mark" aria-hidden="true" />
        {session.title}
      </div>
      <nav aria-label="Dashboard">
        {PLACES.map(([path, icon, label]) => (
          <Link key={path} to={path} aria-current={current === path ? 'page' : undefined}>
            <Icon name={icon} />
            <span>{label}</span>
            {path === 'dead' && dead !== undefined && <span class="count">{dead}</span>}
          </Link>
        ))}
      </nav>
      <div class="sidebar-foot">
        <span class={live.isConnected ? 'live' : 'live live-off'} role="status">
          <span class="dot" aria-hidden="true" />
          {live.isConnected ? 'Live' : 'Connecting…'}
        </span>
        {!session.canWrite && <span class="tag">Read only</span>}
        <ThemeButton />
      </div>
    </header>
  )
}

function deadCount(queues: readonly WireQueue[]): string | undefined {
  const jobs = queues.reduce((sum, { dead }) => sum + dead.jobs, 0)
  return jobs === 0 ? undefined : count({ jobs, isMore: queues.some(({ dead }) => dead.isMore) })
}

function ThemeButton(): JSX.Element {
  const [theme, show] = useState(currentTheme)
  useEffect(() => onSystemTheme(() => show(currentTheme())), [])
  const other = theme === 'dark' ? 'light' : 'dark'
  const onClick = (): void => {
    setTheme(other)
    show(other)
  }
  return (
    <button type="button" class="icon-button" onClick={onClick} aria-label={`Switch to ${other} colours`}>
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </button>
  )
}
