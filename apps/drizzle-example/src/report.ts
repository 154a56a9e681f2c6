import { jobsOf } from '@pgq/drizzle'
import { and, asc, count, eq, inArray, sql, sum } from 'drizzle-orm'
import { ledger, receipts } from './queues.ts'
import { payments, postings } from './schema.ts'
import type { Shop } from './shop.ts'

const ledgerJobs = jobsOf(ledger, { as: 'ledger_jobs' })
const receiptJobs = jobsOf(receipts, { as: 'receipt_jobs' })

/** The payment that a job is about. */
const isAbout = (jobs: typeof ledgerJobs | typeof receiptJobs) =>
  eq(sql`(${jobs.payload} ->> 'paymentId')::uuid`, payments.id)

/** What has become of each of some payments. */
export type PaymentReport = Awaited<ReturnType<typeof readPayments>>[number]

/** Joins payments with their jobs. The payloads and results of those have the types of their queues. */
export function readPayments({ db }: Shop, ids: readonly string[]) {
  return db
    .select({
      invoice: payments.invoice,
      amountMinor: payments.amountMinor,
      currency: payments.currency,
      posted: ledgerJobs.status,
      postedAttempts: ledgerJobs.attempts,
      receipt: receiptJobs.status,
      message: receiptJobs.result,
    })
    .from(payments)
    .leftJoin(ledgerJobs, isAbout(ledgerJobs))
    .leftJoin(receiptJobs, isAbout(receiptJobs))
    .where(inArray(payments.id, [...ids]))
    .orderBy(asc(payments.invoice))
}

/** A receipt that was given up, with the payment that it was for. */
export type DeadReceipt = Awaited<ReturnType<typeof readDeadReceipts>>[number]

/** Joins the dead jobs with their payments: who has to be written to by hand. */
export function readDeadReceipts({ db }: Shop, ids: readonly string[]) {
  return db
    .select({
      invoice: payments.invoice,
      email: payments.email,
      attempts: receiptJobs.attempts,
      error: receiptJobs.error,
      diedAt: receiptJobs.completedAt,
    })
    .from(receiptJobs)
    .innerJoin(payments, isAbout(receiptJobs))
    .where(and(eq(receiptJobs.status, 'dead'), inArray(payments.id, [...ids])))
    .orderBy(asc(payments.invoice))
}

/** What the ledger says of some payments. */
export interface LedgerReport {
  readonly postings: number
  /** The sum over all accounts: 0, unless a payment was posted by halves. */
  readonly balance: number
  /** Postings to an account that had one of the same payment already. */
  readonly duplicated: number
}

/** Counts the postings of some payments. */
export async function readLedger({ db }: Shop, ids: readonly string[]): Promise<LedgerReport> {
  const accounts = db
    .select({
      postings: count().as('postings'),
      amount: sum(postings.amountMinor).mapWith(Number).as('amount'),
    })
    .from(postings)
    .where(inArray(postings.paymentId, [...ids]))
    .groupBy(postings.paymentId, postings.account)
    .as('accounts')
  const [report] = await db
    .select({
      postings: sql<number>`coalesce(sum(${accounts.postings}), 0)`.mapWith(Number),
      balance: sql<number>`coalesce(sum(${accounts.amount}), 0)`.mapWith(Number),
      duplicated: sql<number>`coalesce(sum(${accounts.postings} - 1), 0)`.mapWith(Number),
    })
    .from(accounts)
  return report ?? { postings: 0, balance: 0, duplicated: 0 }
}
