import { type Logger, type StructuredLogger, toConsole } from '@pgq/core'
import { escapeJson, printable } from '../../terminal/printable.ts'
import type { Screen } from '../../terminal/screen.ts'

/** What happens, a line each, for people: on stderr, as everything that is no answer. */
export function consoleLogger(screen: Screen, verbose: boolean): Logger {
  const { color } = screen
  const line = (paint: (text: string) => string, message: string): void =>
    screen.note(`${color.dim(new Date().toISOString())} ${paint(printable(message.replace(/^pgq /, '')))}`)
  return {
    debug: (message) => (verbose ? line(color.dim, message) : undefined),
    info: (message) => line(String, message),
    warn: (message) => line(color.yellow, message),
    error: (message) => line(color.red, message),
  }
}

/** The same as JSON on stdout, a line each, with the fields of the event. */
export function jsonLogger(verbose: boolean): StructuredLogger {
  return toConsole({ debug: verbose ? print : () => {}, info: print, warn: print, error: print })
}

const print = (json: string): void => void process.stdout.write(`${escapeJson(json)}\n`)
