import { defineQueue } from '@pgq/core'
import { z } from 'zod'

/*
 * The contract between those who enqueue and those who work: names, payloads, results and policies. No handler is imported
 * here, so the API doesn't load what only the worker needs.
 */

/** Sends what was ordered. */
export const fulfilment = defineQueue('order.fulfilment', {
  payload: z.object({ orderId: z.uuid() }),
  maxAttempts: 5,
})

/** Adds up the orders of a year, month by month, which takes a while. */
export const yearReport = defineQueue('report.year', {
  payload: z.object({ reportId: z.uuid() }),
  result: z.object({ reportId: z.uuid(), orders: z.number(), quantity: z.number() }),
  timeout: '10m',
})
