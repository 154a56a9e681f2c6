import { transaction } from '@pgq/drizzle'
import { ledger, receipts } from './queues.ts'
import { payments } from './schema.ts'
import type { Shop } from './shop.ts'

/** A payment as it comes in. */
export type NewPayment = Pick<typeof payments.$inferInsert, 'invoice' | 'email' | 'amountMinor' | 'currency'>

/** A payment that was taken, and the jobs that it has led to. */
export interface TakenPayment {
  readonly id: string
  readonly jobIds: readonly string[]
}

/**
 * Takes payments, all of them or none: rows and jobs are one transaction. An invoice that was paid before violates a
 * constraint; then nothing has happened, and no receipt is sent for a payment that isn't there.
 */
export function takePayments({ db, pgq }: Shop, incoming: readonly NewPayment[]): Promise<TakenPayment[]> {
  return transaction(pgq, db, async (tx, jobs) => {
    const taken: TakenPayment[] = []
    for (const payment of incoming) {
      const [row] = await tx.insert(payments).values(payment).returning({ id: payments.id })
      if (!row) throw new Error('INSERT … RETURNING has returned no row')
      const posting = await jobs.enqueue(ledger, { paymentId: row.id })
      const receipt = await jobs.enqueue(receipts, { paymentId: row.id }, { delay: '50ms' })
      taken.push({ id: row.id, jobIds: [posting.id, receipt.id] })
    }
    return taken
  })
}
