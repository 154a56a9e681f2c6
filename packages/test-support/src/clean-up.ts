import { afterAll, onTestFinished } from 'vitest'

/** What files made outside of their tests, in `beforeAll` say. */
const leftovers: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const clean of leftovers.splice(0)) await clean()
})

/** Runs `clean` when the test ends, or when the file does if no test is running. */
export function cleanUpAfterwards(clean: () => Promise<void>): void {
  try {
    onTestFinished(clean)
  } catch {
    leftovers.unshift(clean)
  }
}
