import { defineQueue, exponential } from '@pgq/core'
import { z } from 'zod'

/** The schema of the queue: not `pgq`, so that the demo can run in a database that has a queue already. */
export const QUEUE_SCHEMA = 'pgq_demo'

/**
 * The queue that everything here is about. What a provider sends can't be trusted, so the job carries it as it came in:
 * enqueueing must not fail because of it, and what the handler makes of it can be looked into later.
 */
export const paymentWebhooks = defineQueue('payment.webhook', {
  payload: z.object({
    webhookId: z.string(),
    provider: z.enum(['stripe', 'adyen']),
    body: z.string(),
  }),
  maxAttempts: 6,
  // Short, because somebody is watching. The default waits for seconds, which other people's services need.
  backoff: exponential({ base: '200ms', max: '2s' }),
  timeout: '5s',
})
