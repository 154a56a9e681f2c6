import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { number } from '../format.ts'
import { actOnAll, actOnJobs, type Filter, JOB_ACTIONS, type JobAction, queryText } from '../job-actions.ts'
import { type Found, type Search, useJobSearch } from '../job-search.ts'
import type { Live } from '../live.ts'
import { JobFilters } from '../parts/job-filters.tsx'
import { JobTable } from '../parts/job-table.tsx'
import { Card, Empty, PageHead, Trouble } from '../parts/page-parts.tsx'
import { go, jobsPath, type Place } from '../router.tsx'
import { session } from '../session.ts'

/** Jobs, with a search over what they carry and what went wrong. */
export function JobsPage({ place, live }: { readonly place: Place; readonly live: Live }): JSX.Element {
  const filter = filterIn(place)
  const query = queryText(filter)
  const search = useJobSearch(query)
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
  useEffect(() => setPicked(new Set()), [query])
  const done = (): void => {
    setPicked(new Set())
    search.refresh()
  }
  const { found, error } = search
  return (
    <>
      <PageHead title="Jobs" />
      <JobFilters
        filter={filter}
        queues={(live.queues ?? []).map(({ queue }) => queue)}
        onChange={(changed) => go(jobsPath(changed))}
      />
      {error && <Trouble text={error} />}
      <Card
        title={<Looked search={search} />}
        flush
        aside={
          session.canWrite &&
          found &&
          found.jobs.length > 0 && <BulkBar filter={filter} found={found} picked={picked} onDone={done} />
        }
      >
        {found && found.jobs.length > 0 && <JobTable jobs={found.jobs} picked={picked} onPick={setPicked} />}
        <Rest search={search} />
      </Card>
    </>
  )
}

/** What is below the jobs that were found. */
function Rest({ search: { found, isBusy, more } }: { readonly search: Search }): JSX.Element | null {
  if (!found) return null
  if (found.cursor !== null) {
    return (
      <div class="more">
        <button type="button" class="button" onClick={more} disabled={isBusy}>
          {isBusy ? 'Searching…' : found.isFull ? 'Show more' : 'Search further back'}
        </button>
      </div>
    )
  }
  if (found.jobs.length > 0 || isBusy) return null
  return <Empty title="No job matches">Ended jobs are kept for as long as the retention says.</Empty>
}

function Looked({ search: { found, isBusy, error } }: { readonly search: Search }): JSX.Element {
  return (
    <span role="status">
      {found ? lookedText(found, isBusy) : error === undefined ? 'Searching…' : 'Not searched'}
    </span>
  )
}

function lookedText({ jobs, cursor, looked, isFull }: Found, isBusy: boolean): string {
  const shown = jobs.length === 1 ? '1 job' : `${number(jobs.length)} jobs`
  if (cursor === null) return shown
  if (isFull && !isBusy) return `Newest ${shown}`
  return `${shown} among the newest ${number(looked)}${isBusy ? ' …' : ''}`
}

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
