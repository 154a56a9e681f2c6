import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { WireJobPage, WireJobSummary } from '../../src/wire.ts'
import { get, messageOf } from '../api.ts'
import { number } from '../format.ts'
import { actOnAll, actOnJobs, type Filter, JOB_ACTIONS, type JobAction, queryText } from '../job-actions.ts'
import type { Live } from '../live.ts'
import { JobFilters } from '../parts/job-filters.tsx'
import { JobTable } from '../parts/job-table.tsx'
import { Card, Empty, PageHead, Trouble } from '../parts/page-parts.tsx'
import { go, jobsPath, type Place } from '../router.tsx'
import { session } from '../session.ts'

/** While somebody looks at the first page, it is asked for again every so many ms. */
const REFRESH_MS = 4_000
/** How many jobs the server sends at once. */
const PAGE = 50

interface Found {
  readonly jobs: readonly WireJobSummary[]
  readonly cursor: string | null
  readonly looked: number
}

/** Jobs, with a search over what they carry and what went wrong. */
export function JobsPage({ place, live }: { readonly place: Place; readonly live: Live }): JSX.Element {
  const filter = filterIn(place)
  const query = queryText(filter)
  const { found, error, isBusy, more, refresh } = useSearch(query)
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
  useEffect(() => setPicked(new Set()), [query])
  const done = (): void => {
    setPicked(new Set())
    refresh()
  }
  return (
    <>
      <PageHead title="Jobs" />
      <JobFilters
        key={query}
        filter={filter}
        queues={(live.queues ?? []).map(({ queue }) => queue)}
        onChange={(changed) => go(jobsPath(changed))}
      />
      {error && <Trouble text={error} />}
      {session.canWrite && found && found.jobs.length > 0 && (
        <BulkBar filter={filter} found={found} picked={picked} onDone={done} />
      )}
      <Card title="Results" flush aside={<Looked found={found} isBusy={isBusy} />}>
        {found && found.jobs.length > 0 && <JobTable jobs={found.jobs} picked={picked} onPick={setPicked} />}
        {found && found.jobs.length === 0 && !isBusy && (
          <Empty title={found.cursor === null ? 'No job matches' : 'Nothing found so far'}>
            {found.cursor === null
              ? 'Ended jobs are kept for as long as the retention says.'
              : 'There are older jobs that were not looked at yet.'}
          </Empty>
        )}
        {found?.cursor && (
          <div class="more">
            <button type="button" class="button" onClick={more} disabled={isBusy}>
              {isBusy ? 'Searching…' : isPageFull(found) ? 'Show more' : 'Search further back'}
            </button>
          </div>
        )}
      </Card>
    </>
  )
}

function Looked({ found, isBusy }: { readonly found: Found | undefined; readonly isBusy: boolean }): JSX.Element {
  return (
    <span class="faint" role="status">
      {found === undefined || isBusy ? 'Searching…' : lookedText(found)}
    </span>
  )
}

function lookedText(found: Found): string {
  const shown = number(found.jobs.length)
  if (found.cursor === null) return `All ${shown} shown`
  return isPageFull(found) ? `Newest ${shown} shown` : `${shown} found among the newest ${number(found.looked)}`
}

const isPageFull = ({ jobs }: Found): boolean => jobs.length > 0 && jobs.length % PAGE === 0

function BulkBar({
  filter,
  found,
  picked,
  onDone,
}: {
  readonly filter: Filter
  readonly found: Found
  readonly picked: ReadonlySet<string>
  readonly onDone: () => void
}): JSX.Element {
  const rows = picked.size > 0 ? found.jobs.filter(({ id }) => picked.has(id)) : []
  const statuses = picked.size > 0 ? rows.map(({ status }) => status) : filter['status']?.split(',')
  const actions = (Object.keys(JOB_ACTIONS) as JobAction[]).filter(
    (action) => !statuses || JOB_ACTIONS[action].statuses.some((status) => statuses.includes(status)),
  )
  const run = (action: JobAction): void => {
    if (picked.size > 0) actOnJobs(action, [...picked], onDone)
    else void actOnAll(action, filter, onDone)
  }
  return (
    <div class="bulk" role="toolbar" aria-label="Actions">
      <span class="faint">{picked.size > 0 ? `${number(picked.size)} selected` : 'All that match'}</span>
      {actions.map((action) => (
        <button
          key={action}
          type="button"
          class={action === 'delete' ? 'button small quiet-danger' : 'button small'}
          onClick={() => run(action)}
        >
          {JOB_ACTIONS[action].verb}
        </button>
      ))}
    </div>
  )
}

const NAMES = ['queue', 'status', 'payload', 'error', 'after', 'before']

function filterIn({ search }: Place): Filter {
  return Object.fromEntries(NAMES.map((name) => [name, search.get(name) ?? undefined]))
}

/** Asks for the first page, again and again, and for further ones when told to. */
function useSearch(query: string): {
  found: Found | undefined
  error: string | undefined
  isBusy: boolean
  more: () => void
  refresh: () => void
} {
  const [state, setState] = useState<{ query: string; found?: Found; error?: string; pages: number }>({
    query,
    pages: 0,
  })
  const [isBusy, setBusy] = useState(true)
  const current = useRef(query)
  current.current = query
  const ask = async (cursor: string | undefined, before: Found | undefined, pages: number): Promise<void> => {
    const page = cursor ? `&cursor=${cursor}` : ''
    try {
      const answer = await get<WireJobPage>(`jobs?${query}${page}`)
      if (current.current !== query) return
      const jobs = [...(before?.jobs ?? []), ...answer.jobs]
      const looked = (before?.looked ?? 0) + answer.looked
      setState({ query, found: { jobs, cursor: answer.cursor, looked }, pages })
    } catch (error) {
      if (current.current === query) setState((old) => ({ ...old, query, error: messageOf(error) }))
    }
    setBusy(false)
  }
  const refresh = (): void => void ask(undefined, undefined, 1)
  useEffect(() => {
    setBusy(true)
    refresh()
  }, [query])
  const isFirst = state.query === query && state.pages <= 1
  useEffect(() => {
    if (!isFirst) return undefined
    const timer = setInterval(() => !document.hidden && refresh(), REFRESH_MS)
    return () => clearInterval(timer)
  }, [query, isFirst])
  const found = state.query === query ? state.found : undefined
  const more = (): void => {
    setBusy(true)
    void ask(found?.cursor ?? undefined, found, state.pages + 1)
  }
  return { found, error: state.query === query ? state.error : undefined, isBusy, more, refresh }
}
