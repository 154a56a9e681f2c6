import type { Queryable } from '@pgq/core'
import { sql } from 'drizzle-orm'
import { bigint, jsonb, numeric, pgSchema, text, timestamp } from 'drizzle-orm/pg-core'

/** The schema of the shop whose webhooks these are. */
const shop = pgSchema('pgq_demo_shop')

/** Every webhook that was received, as it came in. */
export const webhooks = shop.table('webhooks', {
  id: text('id').primaryKey(),
  provider: text('provider').notNull(),
  receivedAt: timestamp('received_at', { withTimezone: true, mode: 'string' }).notNull(),
  headers: jsonb('headers').notNull(),
  body: text('body').notNull(),
})

/** What the ledger knows of them. */
export const ledgerPostings = shop.table('ledger_postings', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  webhookId: text('webhook_id')
    .notNull()
    .references(() => webhooks.id),
  kind: text('kind').notNull(),
  amountMinor: bigint('amount_minor', { mode: 'number' }).notNull(),
  currency: text('currency').notNull(),
  amountEur: numeric('amount_eur').notNull(),
  postedAt: timestamp('posted_at', { withTimezone: true })
    .notNull()
    .default(sql`clock_timestamp()`),
})

/**
 * The same as SQL, which an application leaves to drizzle-kit. `ledger_postings.webhook_id` is not unique, which in a real
 * shop it would be: a posting that is made twice shall be counted here, not prevented.
 */
const TABLES = `
CREATE SCHEMA pgq_demo_shop;

CREATE TABLE pgq_demo_shop.webhooks (
  id          text        PRIMARY KEY,
  provider    text        NOT NULL,
  received_at timestamptz NOT NULL,
  headers     jsonb       NOT NULL,
  body        text        NOT NULL
);

CREATE TABLE pgq_demo_shop.ledger_postings (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook_id   text        NOT NULL REFERENCES pgq_demo_shop.webhooks,
  kind         text        NOT NULL,
  amount_minor bigint      NOT NULL,
  currency     text        NOT NULL,
  amount_eur   numeric     NOT NULL,
  posted_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
`

/** Makes the tables of the shop. */
export async function createShop(database: Queryable): Promise<void> {
  await database.query(TABLES)
}

/** Removes everything that the demo makes in a database: the shop and the queue. */
export async function dropEverything(database: Queryable): Promise<void> {
  await database.query(`
    SET client_min_messages = warning;
    DROP SCHEMA IF EXISTS pgq_demo_shop, pgq_demo CASCADE`)
}
