import type { PgqEvent } from '../events.ts'

/** What an event says, by name: for logs that are searched by field. Payloads and metadata are left out, but for the trace. */
export interface LogFields {
  /** The name of the event. */
  readonly event: string
  readonly [field: string]: unknown
}

/** The fields of an event. The error, if there is one, is `err`, as pino's serializers expect it. */
export function fieldsOf(event: PgqEvent): LogFields {
  const { type, ...rest } = event
  const { job, error, ...plain } = rest as Record<string, unknown> &
    Partial<Extract<PgqEvent, { job: unknown }>>
  return {
    event: type,
    ...(job && {
      jobId: job.id,
      queue: job.queue,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
      ...(typeof job.metadata['traceparent'] === 'string' && { traceparent: job.metadata['traceparent'] }),
    }),
    ...plain,
    ...(error !== undefined && { err: error }),
  }
}
