import type { StructuredLogger } from '../log.ts'

/** The shape of pino: fields first, then the message. */
export interface PinoLike {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/**
 * Gives each event to a logger of pino's shape, with fields to search by and the error as `err`.
 * @example
 * logEvents(pgq.events, toPino(pino()))
 */
export function toPino(logger: PinoLike): StructuredLogger {
  return { write: ({ level, fields, message }) => logger[level](fields, message) }
}
