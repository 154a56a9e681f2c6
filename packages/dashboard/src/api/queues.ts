import { historyOf } from '../history.ts'
import { BadRequest, json } from '../responses.ts'
import type { Visit } from '../visit.ts'
import { wireQueue } from '../wire-queue.ts'

/** How far back charts may look: as `since` says it, and in periods of so many minutes. */
const RANGES: Readonly<Record<string, { readonly sinceMinutes: number; readonly periodMinutes: number }>> = {
  '1h': { sinceMinutes: 60, periodMinutes: 1 },
  '6h': { sinceMinutes: 360, periodMinutes: 5 },
  '24h': { sinceMinutes: 1_440, periodMinutes: 20 },
}
const MINUTE_MS = 60_000

/** How the queues stand. */
export async function getQueues({ pgq }: Visit): Promise<Response> {
  return json((await pgq.queues()).map(wireQueue))
}

/** What they did, or one of them. */
export async function getHistory({ pgq, url }: Visit): Promise<Response> {
  const range = RANGES[url.searchParams.get('since') ?? '1h']
  if (!range) throw new BadRequest(`since must be of ${Object.keys(RANGES).join(', ')}`)
  const sinceMs = range.sinceMinutes * MINUTE_MS
  const periodMs = range.periodMinutes * MINUTE_MS
  const queue = url.searchParams.get('queue')
  const options = { since: sinceMs, period: periodMs, ...(queue && { queue }) }
  return json(historyOf(await pgq.insights.periods(options), { now: Date.now(), sinceMs, periodMs }))
}
