import { interruption } from '../../interruption.ts'
import type { Screen } from '../../terminal/screen.ts'

/** How far a change came. */
export interface Extent {
  readonly changed: number
  readonly isInterrupted: boolean
}

/**
 * Changes jobs batch by batch, showing how far it is; after Ctrl-C it ends with the batch that is under way.
 */
export async function changeInterruptibly(
  screen: Screen,
  what: string,
  total: number,
  change: (onProgress: (changed: number) => void) => Promise<number>,
): Promise<Extent> {
  const { signal, release } = interruption()
  const line = screen.progress(what, total)
  try {
    const changed = await change((done) => {
      line.done = done
      // Between two batches: the error comes back out of the call.
      signal.throwIfAborted()
    })
    return { changed, isInterrupted: false }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error
    return { changed: line.done, isInterrupted: true }
  } finally {
    line.end()
    release()
  }
}
