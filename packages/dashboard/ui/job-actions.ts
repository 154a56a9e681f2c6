import type { WireCount, WireDone } from '../src/wire.ts'
import { get, messageOf, post } from './api.ts'
import { count, jobs as jobsText } from './format.ts'
import { confirmThen } from './parts/confirm.tsx'
import { notify } from './parts/notices.tsx'

/** What can be done to jobs, and to those of which status. */
export const JOB_ACTIONS = {
  retry: { verb: 'Retry', done: 'Retried', statuses: ['pending', 'failed', 'dead', 'cancelled'] },
  redrive: { verb: 'Redrive', done: 'Redrove', statuses: ['dead'] },
  cancel: { verb: 'Cancel', done: 'Cancelled', statuses: ['pending', 'processing', 'failed'] },
  delete: {
    verb: 'Delete',
    done: 'Deleted',
    statuses: ['pending', 'failed', 'completed', 'dead', 'cancelled'],
  },
} as const
export type JobAction = keyof typeof JOB_ACTIONS

const EXPLAINED: Readonly<Record<JobAction, string>> = {
  retry: 'Waiting jobs become due now; dead and cancelled ones start again with all their attempts.',
  redrive: 'They start again with all their attempts.',
  cancel: 'They stop for good, running ones too.',
  delete: 'They are gone for good, with their history.',
}

/** A filter as it stands in the address. */
export type Filter = Readonly<Record<string, string | undefined>>

/** Does something to some jobs, after a question. */
export function actOnJobs(action: JobAction, ids: readonly string[], onDone: () => void): void {
  const { verb } = JOB_ACTIONS[action]
  confirmThen({
    title: `${verb} ${ids.length === 1 ? 'this job' : jobsText(ids.length)}?`,
    text: EXPLAINED[action],
    verb,
    isDangerous: action === 'delete' || action === 'cancel',
    run: async (doing) => finish(action, await post<WireDone>('jobs', { action, ids }, doing), onDone),
  })
}

/** Does something to all jobs that match, however many, after saying how many those are. */
export async function actOnAll(action: JobAction, filter: Filter, onDone: () => void): Promise<void> {
  const { verb } = JOB_ACTIONS[action]
  const statuses: readonly string[] = JOB_ACTIONS[action].statuses
  const wanted = filter['status']?.split(',') ?? statuses
  const status = statuses.filter((one) => wanted.includes(one))
  if (status.length === 0)
    return notify(`None of these can be changed so: ${verb} is for other statuses.`, true)
  const meant = { ...filter, status: status.join(',') }
  try {
    const found = await get<WireCount>(`jobs/count?${queryText(meant)}`)
    if (found.jobs === 0 && !found.isMore) return notify('No job matches any more.')
    const which = found.isMore ? `at least ${count({ ...found, isMore: false })} jobs` : jobsText(found.jobs)
    confirmThen({
      title: `${verb} ${which}?`,
      text: `${meaning(filter)}, also those that are not on this page. ${EXPLAINED[action]}`,
      verb,
      isDangerous: action === 'delete' || action === 'cancel',
      run: async (doing) => {
        const body = { action, filter: { ...given(filter), status } }
        doing.signal.addEventListener('abort', onDone)
        return finish(action, await post<WireDone>('jobs', body, doing), onDone)
      },
    })
  } catch (error) {
    notify(messageOf(error), true)
  }
}

/** What a filter means, in words. */
function meaning({ queue, payload, error, after, before }: Filter): string {
  const parts = [
    queue && `of ${queue}`,
    payload && `with “${payload}” in the payload`,
    error && `with “${error}” in the error`,
    (after || before) && 'made in the time that was chosen',
  ].filter((part) => !!part)
  return parts.length === 0 ? 'All jobs' : `All jobs ${parts.join(', ')}`
}

function finish(action: JobAction, { jobs }: WireDone, onDone: () => void): string {
  onDone()
  return `${JOB_ACTIONS[action].done} ${jobsText(jobs)}.`
}

const given = (filter: Filter): Record<string, string> =>
  Object.fromEntries(Object.entries(filter).filter((pair): pair is [string, string] => !!pair[1]))

/** A filter as the server reads it. */
export const queryText = (filter: Filter): string => new URLSearchParams(given(filter)).toString()
