import { endingOf } from '../job/endings.ts'
import type { ClaimedJob } from '../job/job.ts'
import type { AttemptResult } from '../job/transition.ts'
import type { Events } from '../events.ts'
import type { Database } from '../store/database.ts'
import type { QueueStore } from '../store/queue-store.ts'

/** What holding back needs from outside. */
export interface HoldingDeps {
  readonly database: Database
  readonly queues: QueueStore
  readonly events: Events
  /** A handler has held back its queue, or a group of it. */
  readonly onHeldBack: (queue: string, group: string | null) => void
}

/** Holds the group back when the handler was told to slow down, before its job waits again, and with it those that this worker has in hand. If that cannot be written, the job alone waits. */
export async function heedRateLimit(
  deps: HoldingDeps,
  { queue, group }: ClaimedJob,
  result: AttemptResult,
): Promise<AttemptResult> {
  const ending = result.kind === 'threw' ? endingOf(result.error) : undefined
  if (ending?.kind !== 'rate-limit') return result
  try {
    // A hold of nothing lifts one, and that is not what the handler was told.
    if (ending.delayMs <= 0) return result
    const heldGroup = ending.scope === 'queue' ? null : group
    await deps.queues.holdBack(deps.database, queue, heldGroup, ending.delayMs)
    deps.onHeldBack(queue, heldGroup)
    return result
  } catch (error) {
    deps.events.emit('error', { where: `holding back queue ${queue}`, error })
    return { kind: 'interrupted', delayMs: ending.delayMs }
  }
}
