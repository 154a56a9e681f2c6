import type { Events } from '../events.ts'
import { endingOf } from '../job/endings.ts'
import type { ClaimedJob } from '../job/job.ts'
import type { AttemptResult } from '../job/transition.ts'
import type { Database } from '../store/database.ts'
import type { QueueStore } from '../store/queue-store.ts'

/** Holds the group back when the handler was told to slow down, before its job waits again. If that cannot be written, the job alone waits. */
export async function heedRateLimit(
  deps: { readonly database: Database; readonly queues: QueueStore; readonly events: Events },
  { queue, group }: ClaimedJob,
  result: AttemptResult,
): Promise<AttemptResult> {
  const ending = result.kind === 'threw' ? endingOf(result.error) : undefined
  if (ending?.kind !== 'rate-limit') return result
  try {
    // A hold of nothing lifts one, and that is not what the handler was told.
    if (ending.delayMs > 0)
      await deps.queues.holdBack(
        deps.database,
        queue,
        ending.scope === 'queue' ? null : group,
        ending.delayMs,
      )
    return result
  } catch (error) {
    deps.events.emit('error', { where: `holding back queue ${queue}`, error })
    return { kind: 'interrupted', delayMs: ending.delayMs }
  }
}
