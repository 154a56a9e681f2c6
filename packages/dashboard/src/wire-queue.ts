import type { QueueSurvey } from '@pgq/core'
import type { WireQueue } from './wire.ts'

/** A queue as it is sent. */
export const wireQueue = (queue: QueueSurvey): WireQueue => ({
  ...queue,
  pausedAt: queue.pausedAt?.getTime() ?? null,
})
