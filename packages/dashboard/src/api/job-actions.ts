import type { JobFilter, JobTarget } from '@pgq/core'
import { filterOf } from '../job-query.ts'
import { BadRequest, json } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireDone } from '../wire.ts'
import { act } from './act.ts'

const ACTIONS = ['retry', 'cancel', 'redrive', 'delete'] as const
type JobAction = (typeof ACTIONS)[number]

/** So many ids can be named in one request. */
const MOST_IDS = 1_000
/** A filter or a list of ids is not longer than this, in characters. */
const MOST_CHARACTERS = 200_000

/** Changes some jobs, or all that match a filter. */
export async function postJobs(visit: Visit): Promise<Response> {
  const { action, ids, filter } = await bodyOf(visit.request)
  const target: JobTarget = ids ?? filter ?? {}
  const named = ids === undefined ? { filter: filter ?? {} } : { ids }
  return act(visit, `jobs.${action}`, named, async () => {
    const jobs = await visit.pgq[action](target)
    return { jobs, response: json({ jobs } satisfies WireDone) }
  })
}

async function bodyOf(
  request: Request,
): Promise<{ action: JobAction; ids?: readonly string[]; filter?: JobFilter }> {
  const body = await jsonOf(request)
  const action = ACTIONS.find((name) => name === body['action'])
  if (!action) throw new BadRequest(`the action must be of ${ACTIONS.join(', ')}`)
  const { ids, filter } = body
  if (Array.isArray(ids)) {
    if (ids.length > MOST_IDS || !ids.every((id) => typeof id === 'string'))
      throw new BadRequest(`ids must be up to ${MOST_IDS} ids of jobs`)
    return { action, ids }
  }
  if (filter === undefined) throw new BadRequest('ids or a filter must say which jobs are meant')
  return { action, filter: filterOf(filter) }
}

async function jsonOf(request: Request): Promise<Record<string, unknown>> {
  const text = await request.text()
  if (text.length > MOST_CHARACTERS) throw new BadRequest('the request is too large', 413)
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new BadRequest('the request must be a JSON object')
}
