import { fileURLToPath } from 'node:url'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import type { Shop } from './shop.ts'

/** What `drizzle-kit generate` has written. */
const migrationsFolder = fileURLToPath(new URL('../drizzle', import.meta.url))

/** Brings the database up to date: the queue by itself, the tables of the shop by the migrations of drizzle-kit. */
export async function migrateShop({ db, pgq }: Shop): Promise<void> {
  await pgq.migrate()
  await migrate(db, { migrationsFolder, migrationsTable: 'drizzle_shop_migrations' })
}
