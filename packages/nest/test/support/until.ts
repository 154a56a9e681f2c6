import { setTimeout as sleep } from 'node:timers/promises'
import type { JobRecord, Pgq } from '@pgq/core'

/** Asks until the answer is truthy, and returns it. Throws when that takes too long; machines under load are slow. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<Exclude<T, false | undefined | null | 0 | ''>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer) return answer as Exclude<T, false | undefined | null | 0 | ''>
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(10)
  }
}

/** The job, once an attempt of it has ended: it is completed, dead, cancelled, or waits for another one. */
export function settled(pgq: Pgq, id: string): Promise<JobRecord> {
  return until(`job ${id} is settled`, async () => {
    const job = await pgq.get(id)
    return job && job.status !== 'processing' && (job.status !== 'pending' || job.attempts > 0) && job
  })
}

/** A promise that somebody else resolves. */
export interface Latch {
  readonly opened: Promise<void>
  open(): void
}

/** Makes a latch, for handlers that wait for the test. */
export function latch(): Latch {
  const gate = new AbortController()
  const opened = new Promise<void>((resolve) => {
    gate.signal.addEventListener('abort', () => resolve())
  })
  return { opened, open: () => gate.abort() }
}
