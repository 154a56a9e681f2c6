import type { WireHistory, WireQueue } from '../src/wire.ts'

const NONE = { jobs: 0, isMore: false }

/** A queue without jobs. */
export const emptyQueue = (queue: string): WireQueue => ({
  queue,
  due: NONE,
  delayed: NONE,
  processing: 0,
  dead: NONE,
  cancelled: NONE,
  oldestDueMs: null,
  pausedAt: null,
  pausedReason: null,
})

/** Queues that have jobs, and those that did something of late and are empty now. */
export function everyQueue(
  queues: readonly WireQueue[] | undefined,
  history: WireHistory | undefined,
): readonly WireQueue[] {
  const known = new Map((queues ?? []).map((queue) => [queue.queue, queue]))
  for (const { queue } of history?.queues ?? []) if (!known.has(queue)) known.set(queue, emptyQueue(queue))
  return [...known.values()].toSorted((a, b) => (a.queue < b.queue ? -1 : 1))
}
