import type { DeadGroup, Pgq } from '@pgq/core'
import { json } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireDeadGroup } from '../wire.ts'

/** The shortest piece of a message that is worth looking for, in characters. */
const SHORTEST_NEEDLE = 6

/** Dead jobs by what they died of. */
export async function getDead({ pgq, url, settings }: Visit): Promise<Response> {
  const queue = url.searchParams.get('queue')
  const groups = (await pgq.insights.deadGroups(queue ? { queue } : {})).slice(0, 100)
  const shown = settings.isRedacting ? await redacted(pgq, groups, settings.redact) : groups
  return json(shown.map(wireGroup))
}

/** A hook that hides errors must hide them here as well: what it makes of the newest job of a group is what is shown. */
async function redacted(
  pgq: Pgq,
  groups: readonly DeadGroup[],
  redact: Visit['settings']['redact'],
): Promise<DeadGroup[]> {
  return Promise.all(
    groups.map(async (group) => {
      const job = await pgq.get(group.sampleId)
      const sample = job === null ? '' : (redact(job).error ?? '')
      // Nothing is looked for by a message that nobody may see.
      return sample === job?.error ? group : { ...group, sample, pattern: '' }
    }),
  )
}

const wireGroup = (group: DeadGroup): WireDeadGroup => ({
  ...group,
  firstAt: group.firstAt.getTime(),
  lastAt: group.lastAt.getTime(),
  needle: needleOf(group),
})

/** The longest piece of the pattern that stands in all of the messages as it is. */
function needleOf({ pattern, sample }: DeadGroup): string | null {
  const pieces = pattern.split(/[#…]/).map((piece) => piece.trim())
  const longest = pieces.reduce((best, piece) => (piece.length > best.length ? piece : best), '')
  return longest.length >= SHORTEST_NEEDLE && sample.includes(longest) ? longest : null
}
