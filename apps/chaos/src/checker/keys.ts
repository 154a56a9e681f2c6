import type { JobState } from '../history/records.ts'
import { enqueues } from './losses.ts'
import type { Timeline } from './timeline.ts'
import { type Finding, SLACK_MS } from './violation.ts'

const LIVE = ['pending', 'failed', 'processing']

/**
 * Two live jobs never share a key; where jobs wait behind each other, no two with the same key run at once, and one that never ran waits at
 * the most. A completed job holds its key for the period of its queue. And who was told of a duplicate was told the truth.
 */
export function* uniqueKeys(timeline: Timeline): Iterable<Finding> {
  yield* sharedKeys(timeline)
  yield* brokenPeriods(timeline)
  yield* falseDuplicates(timeline)
}

function* sharedKeys({ history, changes }: Timeline): Iterable<Finding> {
  const holders = new Map<string, Map<string, JobState>>()
  for (const { id, from, to, kind } of changes) {
    const state = to ?? from
    const key = state && keyOf(state)
    if (!key) continue
    const held = holders.get(key) ?? new Map<string, JobState>()
    holders.set(key, held)
    if (to && LIVE.includes(to.status)) held.set(id, to)
    else held.delete(id)
    if (!to || !['inserted', 'claimed', 'revived'].includes(kind)) continue
    const alike = history.terms.unique[to.queue]?.serial === true ? likenessOf(to) : () => true
    const crowd = [...held].filter(([, other]) => alike(other)).map(([other]) => other)
    if (crowd.length > 1) yield { job: id, message: `jobs ${crowd.join(' and ')} share the key ${key}` }
  }
}

const keyOf = ({ queue, uniqueKey }: JobState): string | undefined =>
  uniqueKey === null ? undefined : `${queue} ${uniqueKey}`

/** Which jobs are one too many beside this one, where they wait behind each other: running ones, or such that never ran. */
function likenessOf(job: JobState): (other: JobState) => boolean {
  if (job.status === 'processing') return ({ status }) => status === 'processing'
  return job.fence === 0 ? ({ fence }) => fence === 0 : () => false
}

function* brokenPeriods({ history, changes }: Timeline): Iterable<Finding> {
  const completed = new Map<string, { readonly id: string; readonly until: number }>()
  for (const { id, at, to, kind } of changes) {
    const periodMs = history.terms.unique[to?.queue ?? '']?.periodMs
    const key = to && keyOf(to)
    if (!key || periodMs === undefined) continue
    const before = completed.get(key)
    if (kind === 'inserted' && before && at < before.until)
      yield { job: id, message: `job ${id} has the key ${key}, which ${before.id} held for longer` }
    // Its period began after it was created, and no earlier.
    if (to.status === 'completed') completed.set(key, { id, until: to.createdAt + periodMs })
  }
}

function* falseDuplicates(timeline: Timeline): Iterable<Finding> {
  const { history, changesOf } = timeline
  const answers = new Map(
    history.clients.flatMap((record) => (record.op === 'enqueued' ? [[record.call, record] as const] : [])),
  )
  for (const { call, queue, tickets, key, t } of enqueues(history.clients)) {
    const answer = answers.get(call)
    if (key === undefined || !answer) continue
    const replaces = history.terms.unique[queue]?.serial === true
    for (const { id, ticket, deduplicated } of answer.jobs) {
      if (!deduplicated) continue
      const states = changesOf.get(id)?.flatMap(({ to }) => to ?? []) ?? []
      if (!holdsKeyIn(timeline, id, key, { from: t, until: answer.t }))
        yield {
          job: id,
          message: `${tickets.join()} was told of the duplicate ${id}, which had not its key then`,
        }
      if (replaces && !states.some((state) => state.ticket === ticket))
        yield { job: id, message: `job ${id} was said to have taken over ${ticket}, and never did` }
    }
  }
}

/**
 * Whether a job held a key at some moment of a span. A change counts for others from its commit, which comes after the audit has seen it: by as long as a
 * fault may hold up a COMMIT.
 */
function holdsKeyIn(
  { history, changesOf }: Timeline,
  id: string,
  key: string,
  { from, until }: { readonly from: number; readonly until: number },
): boolean {
  const { leaseMs, unique } = history.terms
  const lateMs = 4 * leaseMs + 1_000
  const changes = changesOf.get(id) ?? []
  return changes.some(({ at, to }, i) => {
    if (!to || to.uniqueKey !== key || at > until + SLACK_MS) return false
    const periodMs = unique[to.queue]?.periodMs
    const isLive = LIVE.includes(to.status)
    if (!isLive && (to.status !== 'completed' || periodMs === undefined)) return false
    const untilNext = changes[i + 1]?.at ?? Number.POSITIVE_INFINITY
    const heldUntil = isLive ? untilNext : Math.min(untilNext, to.createdAt + (periodMs ?? 0))
    return heldUntil + lateMs >= from
  })
}
