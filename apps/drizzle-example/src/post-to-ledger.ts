import { DeadJob, type Handler } from '@pgq/core'
import { handleWithDrizzle } from '@pgq/drizzle'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { ledger } from './queues.ts'
import { payments, postings } from './schema.ts'

const handle = handleWithDrizzle((client) => drizzle({ client }))

/**
 * Posts a payment to two accounts. Both postings and the completion of the job are one transaction: whatever happens to
 * this process, and however often the handler runs, the ledger has both, once.
 * @param halfWay what happens between the two postings: this is where the example pulls the plug
 */
export function postToLedger(halfWay: (invoice: string) => Promise<void> = async () => {}): Handler {
  return handle(ledger, async (job, { tx }) => {
    const [payment] = await tx.select().from(payments).where(eq(payments.id, job.payload.paymentId))
    if (!payment) throw new DeadJob('there is no such payment')
    const { id: paymentId, amountMinor } = payment
    const by = { paymentId, jobId: job.id, attempt: job.attempt }
    await tx.insert(postings).values({ ...by, account: 'bank', amountMinor })
    await halfWay(payment.invoice)
    await tx.insert(postings).values({ ...by, account: 'sales', amountMinor: -amountMinor })
  })
}
