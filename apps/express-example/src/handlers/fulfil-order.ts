import type { Handler } from '@pgq/core'
import { eq } from 'drizzle-orm'
import { fulfilment } from '../queues.ts'
import { orders } from '../schema.ts'
import { handle } from './handle.ts'

/** Marks an order as sent, in the transaction that completes the job: it happens exactly once. */
export const fulfilOrder: Handler = handle(fulfilment, async (job, { tx }) => {
  await tx.update(orders).set({ fulfilledAt: new Date() }).where(eq(orders.id, job.payload.orderId))
})
