import { onTestFinished } from 'vitest'

/** What files made outside of their tests, in `beforeAll` say. */
const leftovers: (() => Promise<void>)[] = []

/** Runs `clean` when the test ends, or when the file does if no test is running. */
export function cleanUpAfterwards(clean: () => Promise<void>): void {
  try {
    onTestFinished(clean)
  } catch {
    leftovers.unshift(clean)
  }
}

/** Ends what files made outside of their tests; the set-up of each file sees to it. */
export async function cleanUpFile(): Promise<void> {
  for (const clean of leftovers.splice(0)) await clean()
}
