import type { Lane } from './lane.ts'

/** What to claim of one queue. */
export interface Wanted {
  readonly queue: string
  readonly limit: number
}

/** What a worker has room for. */
export interface Room {
  /** How many jobs it may take in. */
  readonly jobs: number
  /** How many of them may start at once; Infinity while each lane has slots of its own. */
  readonly slots: number
  /** By the clock of this process. */
  readonly nowMs: number
}

/**
 * What to claim of each of these queues, in the order in which they may claim.
 *
 * While there are slots for all, each gets its share of the room, and what others leave of theirs. While there are not, a
 * slot is asked for once: a job that is claimed and can't start keeps it from workers that are idle. Those that probably have a job come
 * first; the others are asked as well, for one of them may have got one, and what then finds no slot is given back.
 */
export function demandOf(lanes: readonly Lane[], { jobs, slots, nowMs }: Room): Wanted[] {
  const low = lanes.filter((lane) => lane.isLow)
  const isScarce = slots < Infinity
  const inOrder = isScarce ? [...hopeful(low, nowMs), ...others(low, nowMs)] : low
  const wanted: Wanted[] = []
  let [room, free] = [jobs, slots]
  for (let i = 0; i < inOrder.length && room > 0; i++) {
    const lane = inOrder[i] as Lane
    const startable = Math.min(lane.freeSlots, free)
    const limit = Math.min(Math.ceil(room / (inOrder.length - i)), lane.wanted(startable))
    if (limit > 0) wanted.push({ queue: lane.handler.queue.name, limit })
    room -= limit
    if (isScarce && (lane.isCounted || lane.isHopeful(nowMs))) free -= Math.min(limit, startable)
  }
  return wanted
}

const hopeful = (lanes: readonly Lane[], nowMs: number): Lane[] =>
  lanes.filter((lane) => lane.isHopeful(nowMs))
const others = (lanes: readonly Lane[], nowMs: number): Lane[] =>
  lanes.filter((lane) => !lane.isHopeful(nowMs))
