import { jobs } from '@pgq/drizzle'
import { eq, inArray } from 'drizzle-orm'
import { payments } from './schema.ts'
import type { Shop } from './shop.ts'
import { type NewPayment, takePayments } from './take-payments.ts'

/** What a payment that was refused has left behind: nothing. */
export interface Refusal {
  readonly invoice: string
  /** The constraint that the database named. */
  readonly constraint: string
  /** Jobs that were enqueued before the constraint was violated. */
  readonly enqueued: number
  /** How many of them there are now. */
  readonly jobsLeft: number
  /** How many payments there are now that were in the same transaction. */
  readonly paymentsLeft: number
}

/** Pays two invoices in one transaction, a new one and then one that is paid already, and counts what that has left. */
export async function refuseSecondPayment(
  shop: Shop,
  [paid]: readonly [NewPayment, ...NewPayment[]],
): Promise<Refusal> {
  const { db, pgq } = shop
  const enqueued: string[] = []
  const off = pgq.events.on('job.enqueued', ({ ids }) => void enqueued.push(...ids))
  const other = { ...paid, invoice: `${paid.invoice}-b` }
  const constraint = await takePayments(shop, [other, paid]).then(() => 'none', constraintOf)
  off()
  return {
    invoice: paid.invoice,
    constraint,
    enqueued: enqueued.length,
    jobsLeft: await db.$count(jobs, inArray(jobs.id, enqueued)),
    paymentsLeft: await db.$count(payments, eq(payments.invoice, other.invoice)),
  }
}

/** Drizzle throws an error of its own, with that of the driver as its cause. */
function constraintOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Error && 'constraint' in cause && typeof cause.constraint === 'string')
    return cause.constraint
  throw error
}
