import { sql } from 'drizzle-orm'
import { bigint, integer, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core'

/** The tables of this application. Those of the queue stand in the schema `pgq`, which the queue migrates itself. */
export const shop = pgSchema('drizzle_shop')

/** Payments that were taken: one for each invoice. */
export const payments = shop.table('payments', {
  id: uuid('id')
    .primaryKey()
    .default(sql`gen_random_uuid()`),
  invoice: text('invoice').notNull().unique(),
  email: text('email').notNull(),
  amountMinor: integer('amount_minor').notNull(),
  currency: text('currency').notNull(),
  paidAt: timestamp('paid_at', { withTimezone: true }).notNull().defaultNow(),
})

/**
 * The ledger, in double entry: the postings of a payment add up to nothing. An account of a payment would be unique in a
 * real ledger; here a payment that is posted twice shall be counted, not prevented.
 */
export const postings = shop.table('postings', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  paymentId: uuid('payment_id')
    .notNull()
    .references(() => payments.id),
  account: text('account').notNull(),
  amountMinor: integer('amount_minor').notNull(),
  jobId: uuid('job_id').notNull(),
  attempt: integer('attempt').notNull(),
})
