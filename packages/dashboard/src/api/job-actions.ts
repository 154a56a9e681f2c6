import type { JobFilter } from '@pgq/core'
import { filterOf } from '../job-query.ts'
import { BadRequest, json } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireDone } from '../wire.ts'
import { act } from './act.ts'

const ACTIONS = ['retry', 'cancel', 'redrive', 'delete'] as const
type JobAction = (typeof ACTIONS)[number]

/** So many ids can be named in one request. */
const MOST_IDS = 1_000

/** Changes some jobs, or all that match a filter. */
export function postJobs(visit: Visit): Promise<Response> {
  return act(visit, (body) => {
    const action = actionIn(body)
    const target = targetIn(body)
    return {
      action: `jobs.${action}`,
      target,
      work: async (onProgress) => {
        const jobs = await visit.pgq[action]('ids' in target ? target.ids : target.filter, { onProgress })
        return { jobs, response: json({ jobs } satisfies WireDone) }
      },
    }
  })
}

function actionIn(body: Readonly<Record<string, unknown>>): JobAction {
  const action = ACTIONS.find((name) => name === body['action'])
  if (!action) throw new BadRequest(`the action must be of ${ACTIONS.join(', ')}`)
  return action
}

function targetIn({
  ids,
  filter,
}: Readonly<Record<string, unknown>>): { readonly ids: readonly string[] } | { readonly filter: JobFilter } {
  if (Array.isArray(ids)) {
    if (ids.length > MOST_IDS || !ids.every((id) => typeof id === 'string'))
      throw new BadRequest(`ids must be up to ${MOST_IDS} ids of jobs`)
    return { ids }
  }
  if (filter === undefined) throw new BadRequest('ids or a filter must say which jobs are meant')
  return { filter: filterOf(filter) }
}
