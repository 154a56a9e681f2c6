import { filterOf, queryOf } from '../job-query.ts'
import { jobSummary, jobView, reasonsOf } from '../job-view.ts'
import { json, problem } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireCount, WireJobPage, WireJobView } from '../wire.ts'

const PAGE = 50

/** A page of the jobs that match. */
export async function getJobs({ pgq, url, settings }: Visit): Promise<Response> {
  const cursor = url.searchParams.get('cursor')
  const page = await pgq.insights.search({
    ...filterOf(queryOf(url.searchParams)),
    limit: PAGE,
    ...(cursor && { cursor }),
  })
  return json({
    now: Date.now(),
    jobs: page.jobs.map((job) => jobSummary(settings.redact(job))),
    cursor: page.cursor ?? null,
    looked: page.looked,
  } satisfies WireJobPage)
}

/** How many match. */
export async function getJobCount({ pgq, url }: Visit): Promise<Response> {
  return json((await pgq.insights.count(filterOf(queryOf(url.searchParams)))) satisfies WireCount)
}

/** One job. */
export async function getJob({ pgq, parts: [id = ''], settings }: Visit): Promise<Response> {
  const job = await pgq.get(id)
  if (!job) return problem(404, 'There is no such job. It may have been deleted, or its retention is over.')
  const reasons = reasonsOf(await pgq.explain(id))
  return json({ now: Date.now(), job: jobView(settings.redact(job)), reasons } satisfies WireJobView)
}
