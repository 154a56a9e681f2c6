import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until a condition holds. Throws if it does not within five seconds. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`)
    await sleep(20)
  }
}
