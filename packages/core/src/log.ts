import type { Events, PgqEvent, PgqEventName } from './events.ts'
import { fieldsOf, type LogFields } from './log/fields.ts'

/** What pino, winston, Nest's Logger and `console` have in common. */
export interface Logger {
  debug(message: string): unknown
  info(message: string): unknown
  warn(message: string): unknown
  error(message: string): unknown
}

/** Takes events as records; `toPino` and `toConsole` make one. */
export interface StructuredLogger {
  write(record: LogRecord): unknown
}

/** One event, ready to be logged. */
export interface LogRecord {
  readonly level: keyof Logger
  readonly fields: LogFields
  /** The same in words, on one line. */
  readonly message: string
}

const LEVELS: { readonly [Name in PgqEventName]: keyof Logger } = {
  'job.enqueued': 'debug',
  'job.started': 'debug',
  'job.completed': 'debug',
  'job.failed': 'warn',
  'job.dead': 'error',
  'job.cancelled': 'info',
  'job.snoozed': 'debug',
  'job.released': 'info',
  'job.lost': 'warn',
  'job.stuck': 'error',
  'job.rescued': 'warn',
  'worker.started': 'info',
  'worker.stopping': 'info',
  'worker.stopped': 'info',
  'worker.lost': 'error',
  'worker.paused': 'warn',
  'worker.resumed': 'info',
  'leader.elected': 'debug',
  'leader.resigned': 'debug',
  'listener.connected': 'debug',
  'listener.disconnected': 'warn',
  'schedule.ticked': 'debug',
  'schedule.missed': 'warn',
  'history.dropped': 'info',
  error: 'error',
}

/** Writes every event to a logger, one line or one record each, without payloads. Returns the function that stops it. */
export function logEvents(events: Events, logger: Logger | StructuredLogger): () => void {
  if (!('write' in logger)) return events.on('*', (event) => logger[LEVELS[event.type]](describe(event)))
  return events.on('*', (event) =>
    logger.write({ level: LEVELS[event.type], fields: fieldsOf(event), message: describe(event) }),
  )
}

function describe(event: PgqEvent): string {
  const parts = [`pgq ${event.type}`]
  if ('job' in event)
    parts.push(`${event.job.queue} ${event.job.id} attempt ${event.job.attempt}/${event.job.maxAttempts}`)
  if ('jobs' in event && Array.isArray(event.jobs))
    parts.push(event.jobs.map((job) => `${job.queue} ${job.id} is ${job.status} now`).join(', '))
  if ('schedule' in event) parts.push(event.schedule)
  if ('since' in event) parts.push(`ticks dropped from ${event.since.toISOString()} on`)
  if ('queue' in event)
    parts.push(`${event.queue} ${event.ids.length} ${event.ids.length === 1 ? 'job' : 'jobs'}`)
  if ('workerId' in event) parts.push(`worker ${event.workerId}`)
  if ('where' in event) parts.push(event.where)
  if ('durationMs' in event) parts.push(`after ${Math.round(event.durationMs)} ms`)
  if ('delayMs' in event) parts.push(`again in ${Math.round(event.delayMs)} ms`)
  if ('problem' in event) parts.push(event.problem ?? '')
  if ('error' in event) parts.push(errorText(event.error))
  return parts.join(': ')
}

function errorText(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error)
  const name = 'name' in error ? `${String(error.name)} ` : ''
  return `${name}${String(error.message)}`
}
