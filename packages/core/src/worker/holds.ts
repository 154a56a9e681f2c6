import type { ClaimedJob } from '../job/job.ts'

/** What was paused, held back or given other limits since the claim began that is under way: what it brings may have been claimed before. */
export class Holds {
  readonly #queues = new Set<string>()
  /** Of each queue the groups that were held back. */
  readonly #groups = new Map<string, Set<string>>()

  /** @param group null for the whole queue */
  add(queue: string, group: string | null): void {
    if (group === null) this.#queues.add(queue)
    else this.#groups.set(queue, (this.#groups.get(queue) ?? new Set()).add(group))
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
