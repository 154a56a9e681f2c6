import { constants } from 'node:os'

/** Somebody wants the demo to end. */
export class Interruption extends Error {
  override readonly name = 'Interruption'
  /** What a shell expects of a program that a signal has ended. */
  readonly exitCode: number

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
    this.exitCode = 128 + constants.signals[signal]
  }
}

/**
 * Aborts when the process is asked to end. To be asked again changes nothing: what is started gets cleaned up, and on a
 * terminal Ctrl-C arrives twice, once from the terminal and once from the script that started this process.
 */
export function interruptionSignal(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => controller.abort(new Interruption(signal)))
  }
  return controller.signal
}
