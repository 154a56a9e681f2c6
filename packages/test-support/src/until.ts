import { setTimeout as sleep } from 'node:timers/promises'

/** Asks until the answer is truthy, and returns it. Throws when that takes too long; machines under load are slow. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = 60_000,
): Promise<Exclude<T, false | undefined | null | 0 | ''>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer) return answer as Exclude<T, false | undefined | null | 0 | ''>
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(10)
  }
}
