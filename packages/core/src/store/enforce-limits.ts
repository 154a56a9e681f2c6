import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from './database.ts'
import type { QueueStore } from './queue-store.ts'

/** How long to wait for claims that began before a change, in ms: they take a few, and one that hangs is not waited for. */
const CLAIMS_PATIENCE_MS = 2_000
/** How long to try to count a running job whose row somebody has locked, in ms. */
const ROWS_PATIENCE_MS = 2_000
/** The pause between two looks, in ms. */
const LOOK_EVERY_MS = 2

/** Resolves when no claim is under way any more that began before this call. */
export async function claimsHaveSeen(session: Session, store: QueueStore): Promise<void> {
  const before = await store.claimsUnderWay(session)
  for (const end = performance.now() + CLAIMS_PATIENCE_MS; before.size > 0 && performance.now() < end;) {
    await sleep(LOOK_EVERY_MS)
    const now = await store.claimsUnderWay(session)
    for (const claim of before) if (!now.has(claim)) before.delete(claim)
  }
}

/** Makes limits that were just written hold: what runs already counts against them, whoever has claimed it. */
export async function enforceLimits(session: Session, store: QueueStore, queue: string): Promise<void> {
  await claimsHaveSeen(session, store)
  for (const end = performance.now() + ROWS_PATIENCE_MS; performance.now() < end;) {
    if ((await store.countRunning(session, queue)) === 0) return
    await sleep(LOOK_EVERY_MS)
  }
}
