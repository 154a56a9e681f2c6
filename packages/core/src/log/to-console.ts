import type { StructuredLogger } from '../log.ts'

/** What `console` is used for. */
export type ConsoleLike = Pick<Console, 'debug' | 'info' | 'warn' | 'error'>

/**
 * Writes each event as one line of JSON: `level`, `time` (ISO 8601), `message` and the fields of the event.
 * @example
 * logEvents(pgq.events, toConsole())
 */
export function toConsole(output: ConsoleLike = console): StructuredLogger {
  return {
    write: ({ level, fields, message }) => {
      const line = { level, time: new Date().toISOString(), message, ...fields }
      output[level](JSON.stringify(line, (_key, value: unknown) => plain(value)))
    },
  }
}

/** JSON knows no errors, which would be `{}`, and refuses big integers. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (!(value instanceof Error)) return value
  return {
    name: value.name,
    message: value.message,
    stack: value.stack,
    ...('code' in value && { code: value.code }),
  }
}
