import { jittered, monotonicMs } from '../runtime/clock.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { Session } from '../store/database.ts'
import type { JobStore } from '../store/job-store.ts'

/** The first and the longest pause between two tries, in ms. */
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 500

/**
 * Writes something under one claim, as often as it takes: a row that somebody else has locked, or changed a moment ago, is
 * passed over by a write, and is not lost for that. Lost is only what the table says is lost.
 * @returns what became of it; `locked` when the row was not to be had for `patienceMs`
 */
export async function writeWhileStanding(
  deps: { readonly session: Session; readonly store: JobStore; readonly patienceMs: number },
  claim: Claim,
  write: () => Promise<boolean>,
): Promise<'written' | 'lost' | 'locked'> {
  const untilMs = monotonicMs() + deps.patienceMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    if (await write()) return 'written'
    const lost = await deps.store.findLost(deps.session, [claim])
    if (lost.length > 0) return 'lost'
    if (monotonicMs() > untilMs) return 'locked'
    await new Promise((resolve) => setTimeout(resolve, jittered(pauseMs)))
  }
}
