import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/schema.ts',
  out: './drizzle',
  // Only what is ours: drizzle-kit 1.0 wants to drop every schema that is not in the schema file, and `pgq` migrates itself.
  schemaFilter: ['drizzle_shop'],
  migrations: { table: 'drizzle_shop_migrations' },
  dbCredentials: { url: process.env['DATABASE_URL'] ?? 'postgres://localhost/shop' },
})
