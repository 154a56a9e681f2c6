/** Ctrl-C and `kill` as a signal to look at, instead of a sudden end. */
export interface Interruption {
  readonly signal: AbortSignal
  /** Gives them back their usual meaning. */
  readonly release: () => void
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Aborts at the first signal; the second ends the process as usual. */
export function interruption(): Interruption {
  const controller = new AbortController()
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
  const onSignal = (): void => {
    release()
    controller.abort()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return { signal: controller.signal, release }
}
