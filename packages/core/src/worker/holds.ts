import type { ClaimedJob } from '../job/job.ts'

/** Beyond this many groups of one queue all of it counts as held: what is given back needlessly is claimed again. */
const MOST_GROUPS = 1_000

/** What was paused, held back or given other limits since the claim began that is under way: what it brings may have been claimed before. */
export class Holds {
  readonly #queues = new Set<string>()
  /** Of each queue the groups that were held back. */
  readonly #groups = new Map<string, Set<string>>()

  /** @param group null for the whole queue */
  add(queue: string, group: string | null): void {
    const groups = this.#groups.get(queue) ?? new Set()
    if (group === null || groups.size >= MOST_GROUPS) this.#queues.add(queue)
    else this.#groups.set(queue, groups.add(group))
  }

  /** Whether a job was claimed, or may have been, before its queue or group was held. */
  readonly covers = ({ queue, group }: ClaimedJob): boolean =>
    this.#queues.has(queue) || (group !== null && this.#groups.get(queue)?.has(group) === true)

  /** Begins anew, before the next claim. */
  clear(): void {
    this.#queues.clear()
    this.#groups.clear()
  }
}
