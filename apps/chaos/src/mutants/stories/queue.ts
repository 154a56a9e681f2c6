/** The queue of all stories. */
export const QUEUE = 'story'

/** How fast its jobs and those of each of its groups begin, where a story has that. */
export const PACE = {
  queue: { limit: 8, perMs: 1_000, burst: 2 },
  group: { limit: 5, perMs: 1_000, burst: 1 },
} as const
