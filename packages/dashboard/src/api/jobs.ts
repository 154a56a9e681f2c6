import type { JobFilter } from '@pgq/core'
import { filterOf, queryOf } from '../job-query.ts'
import { jobSummary, jobView, reasonsOf } from '../job-view.ts'
import { BadRequest, json, problem } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireCount, WireJobPage, WireJobView } from '../wire.ts'

const PAGE = 50

/** A page of the jobs that match. */
export async function getJobs(visit: Visit): Promise<Response> {
  const { pgq, url, settings } = visit
  const cursor = url.searchParams.get('cursor')
  const page = await pgq.insights.search({ ...wanted(visit), limit: PAGE, ...(cursor && { cursor }) })
  return json({
    now: Date.now(),
    jobs: page.jobs.map((job) => jobSummary(settings.redact(job))),
    cursor: page.cursor ?? null,
    looked: page.looked,
  } satisfies WireJobPage)
}

/** How many match. */
export async function getJobCount(visit: Visit): Promise<Response> {
  return json((await visit.pgq.insights.count(wanted(visit))) satisfies WireCount)
}

/** One job. */
export async function getJob({ pgq, parts: [id = ''], settings }: Visit): Promise<Response> {
  const job = await pgq.get(id)
  if (!job) return problem(404, 'There is no such job. It may have been deleted, or its retention is over.')
  const reasons = reasonsOf(await pgq.explain(id))
  return json({ now: Date.now(), job: jobView(settings.redact(job)), reasons } satisfies WireJobView)
}

/** What is looked for. What is hidden from somebody must not be found out by guessing either. */
function wanted({ url, settings, grant }: Visit): JobFilter {
  const query = queryOf(url.searchParams)
  const isGuess = query.payload !== undefined || query.error !== undefined
  if (isGuess && !settings.isSearchOpen && grant.access !== 'write')
    throw new BadRequest('You may not search in payloads and errors.', 403)
  return filterOf(query)
}
