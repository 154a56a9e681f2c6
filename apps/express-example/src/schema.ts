import { sql } from 'drizzle-orm'
import { integer, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import type { Database } from './database.ts'

const shop = pgSchema('shop')

/** What was ordered. */
export const orders = shop.table('orders', {
  id: uuid().primaryKey().defaultRandom(),
  owner: text().notNull(),
  item: text().notNull(),
  quantity: integer().notNull(),
  /** By the job that it came with; null until then. */
  fulfilledAt: timestamp('fulfilled_at', { withTimezone: true }),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
})

/** Reports that were asked for. */
export const reports = shop.table('reports', {
  id: uuid().primaryKey().defaultRandom(),
  owner: text().notNull(),
  year: integer().notNull(),
})

/** Their lines. Nothing but the queue prevents that a report has its lines twice. */
export const reportLines = shop.table('report_lines', {
  reportId: uuid('report_id').notNull(),
  month: integer().notNull(),
  orders: integer().notNull(),
  quantity: integer().notNull(),
})

/** Makes the tables. In an application of yours this is what `drizzle-kit generate` and `migrate` do. */
export async function createTables({ db }: Pick<Database, 'db'>): Promise<void> {
  await db.transaction(async (tx) => {
    // Several processes may start at once, and CREATE … IF NOT EXISTS alone is no answer to that.
    await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtext('express-example: create tables'))`)
    await tx.execute(sql`CREATE SCHEMA IF NOT EXISTS shop`)
    await tx.execute(sql`
      CREATE TABLE IF NOT EXISTS shop.orders (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        owner text NOT NULL,
        item text NOT NULL,
        quantity integer NOT NULL,
        fulfilled_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      )`)
    await tx.execute(sql`
      CREATE TABLE IF NOT EXISTS shop.reports (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        owner text NOT NULL,
        year integer NOT NULL
      )`)
    await tx.execute(sql`
      CREATE TABLE IF NOT EXISTS shop.report_lines (
        report_id uuid NOT NULL,
        month integer NOT NULL,
        orders integer NOT NULL,
        quantity integer NOT NULL
      )`)
  })
}
