import { defineQueue, exponential, type } from '@pgq/core'
import { z } from 'zod'

/** Orders that need an invoice. */
export const invoicesQueue = defineQueue('shop.invoice', {
  payload: z.object({ orderId: z.uuid() }),
  result: type<{ number: number }>(),
  maxAttempts: 10,
  backoff: exponential({ base: '1s', max: '10m' }),
})
