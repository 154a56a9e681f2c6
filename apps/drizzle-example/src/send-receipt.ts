import { CancelJob, type Handler, handle } from '@pgq/core'
import { eq } from 'drizzle-orm'
import { sendMail } from './mail-server.ts'
import { receipts } from './queues.ts'
import { payments } from './schema.ts'
import type { Shop } from './shop.ts'

/**
 * Sends the receipt of a payment. No transaction holds an e-mail back, so this may run twice when a worker dies: the mail
 * server gets the id of the job, which stays the same, to know a second one by.
 */
export function sendReceipt({ db }: Shop): Handler {
  return handle(receipts, async (job, { signal }) => {
    const [payment] = await db.select().from(payments).where(eq(payments.id, job.payload.paymentId))
    if (!payment) throw new CancelJob('the payment was deleted')
    const text = `Thank you for ${payment.amountMinor / 100} ${payment.currency}, invoice ${payment.invoice}.`
    return sendMail({ to: payment.email, text, idempotencyKey: job.id, signal })
  })
}
