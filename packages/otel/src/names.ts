/**
 * The names of the messaging conventions of OpenTelemetry, version 1.45. They are not stable yet, and their package asks libraries to copy
 * what they use; a test compares them.
 */
export const ATTRIBUTES = {
  system: 'messaging.system.name',
  destination: 'messaging.destination.name',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  messageId: 'messaging.message.id',
  batchCount: 'messaging.batch.message_count',
  errorType: 'error.type',
  attempt: 'pgq.job.attempt',
  maxAttempts: 'pgq.job.max_attempts',
  ending: 'pgq.job.ending',
} as const

/** The names of the metrics. */
export const METRICS = {
  operationDuration: 'messaging.client.operation.duration',
  sent: 'messaging.client.sent.messages',
  consumed: 'messaging.client.consumed.messages',
  processDuration: 'messaging.process.duration',
  waitDuration: 'pgq.job.wait.duration',
  oldestDueAge: 'pgq.queue.oldest_due.age',
} as const

/** The attributes that everything of one queue has. */
export function queueAttributes(queue: string, operation: 'send' | 'process'): Record<string, string> {
  return {
    [ATTRIBUTES.system]: 'pgq',
    [ATTRIBUTES.destination]: queue,
    [ATTRIBUTES.operationName]: operation,
    [ATTRIBUTES.operationType]: operation,
  }
}

/** What kind of error it is, in few words: its code, or the name of its class. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
