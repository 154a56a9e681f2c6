import { defineQueue, fixed } from '@pgq/core'
import { z } from 'zod'

const ofPayment = z.object({ paymentId: z.uuid() })

/** Receipts to send by e-mail. A mail server that says no has the job tried once more, and then it is dead. */
export const receipts = defineQueue('payment.receipt', {
  payload: ofPayment,
  result: z.object({ messageId: z.string() }),
  maxAttempts: 2,
  backoff: fixed('250ms'),
  timeout: '30s',
})

/** Payments to post to the ledger. */
export const ledger = defineQueue('payment.post', { payload: ofPayment, maxAttempts: 5 })
