import type { Logger } from '@pgq/core'
import { printable, printableJson } from './terminal/printable.ts'
import type { Screen } from './terminal/screen.ts'

/** What happens, a line each, for people: on stderr, as everything that is no answer. */
export function consoleLogger(screen: Screen, verbose = false): Logger {
  const { color } = screen
  const line = (paint: (text: string) => string, message: string): void =>
    screen.note(`${color.dim(new Date().toISOString())} ${paint(printable(message))}`)
  return {
    debug: (message) => (verbose ? line(color.dim, message) : undefined),
    info: (message) => line(String, message),
    warn: (message) => line(color.yellow, message),
    error: (message) => line(color.red, message),
  }
}

/** The same as JSON on stdout, a line each: `{ time, level, message }`. */
export const jsonLogger = (verbose = false): Logger => ({
  debug: (message) => (verbose ? jsonLine('debug', message) : undefined),
  info: (message) => jsonLine('info', message),
  warn: (message) => jsonLine('warn', message),
  error: (message) => jsonLine('error', message),
})

const jsonLine = (level: string, message: string): void =>
  void process.stdout.write(`${printableJson({ time: new Date().toISOString(), level, message })}\n`)
