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
