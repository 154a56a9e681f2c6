/** Milliseconds on this process's own clock: it never steps back and says nothing about the time of day. */
export const monotonicMs = (): number => performance.now()

/** Node fires a timer at once when its delay does not fit into 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A timer that may be longer than Node allows and never keeps the process alive by itself. */
export function startTimer(ms: number, fire: () => void): { stop(): void } {
  let timer: NodeJS.Timeout
  const arm = (left: number): void => {
    const step = Math.min(left, LONGEST_TIMER_MS)
    timer = setTimeout(() => (left > step ? arm(left - step) : fire()), step)
    timer.unref()
  }
  arm(ms)
  return { stop: () => clearTimeout(timer) }
}

/** Waits `ms`, or until the promise settles, whichever is first; tells whether the promise was first. */
export async function settledWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.min(ms, LONGEST_TIMER_MS))
  })
  const settled = promise.then(
    () => true,
    () => true,
  )
  try {
    return await Promise.race([settled, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Spreads a delay over ±`share` of itself, so that processes started together do not stay in step. */
export function jittered(ms: number, share = 0.2): number {
  return ms * (1 - share + Math.random() * 2 * share)
}

/** Waits for one promise after another, and for all of them no longer than `ms` in all; tells of each whether it settled. */
export function patience(ms: number): (promise: Promise<unknown>) => Promise<boolean> {
  let leftMs = ms
  return async (promise) => {
    const startedMs = monotonicMs()
    const settled = await settledWithin(leftMs, promise)
    leftMs = Math.max(0, leftMs - (monotonicMs() - startedMs))
    return settled
  }
}
