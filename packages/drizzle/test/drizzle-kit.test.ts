import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createPgq, defineQueue, type Pgq } from '@pgq/core'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freshDatabase } from './support/fresh-database.ts'
import { type InstalledApp, installApp, isVersion1 } from './support/installed-app.ts'

const KIT = 'drizzle-kit/bin.cjs'
const minute = { timeout: 90_000 }

const SCHEMA = `
import { defineQueue, type } from '@pgq/core'
import { jobsOf } from '@pgq/drizzle'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'

export { jobs } from '@pgq/drizzle'
export const receiptJobs = jobsOf(defineQueue('payment.receipt', { payload: type<{ paymentId: string }>() }))
export const payments = pgTable('payments', { id: text('id').primaryKey(), amount: integer('amount').notNull() })
`

describe('drizzle-kit, with the jobs exported from the schema file', () => {
  it('generates a migration of the application alone', minute, async () => {
    const { app, configure } = await shop()
    await configure({})
    const { code, output } = await app.run(KIT, 'generate')
    expect(code, output).toBe(0)
    const sql = await migrations(app)
    expect(sql).toContain('CREATE TABLE "payments"')
    expect(sql).not.toMatch(/pgq|jobs|CREATE SCHEMA|VIEW/i)
  })

  it('pushes the application alone, with the documented filter', minute, async () => {
    const { app, pgq, configure, snapshot } = await shop()
    await configure({ schemaFilter: ['public'] })
    const before = await snapshot()
    const pushed = await app.run(KIT, 'push', '--force')
    expect(pushed.output).toContain('Changes applied')
    expect(await snapshot()).toEqual([...before, 'public.payments'].toSorted())
    expect(await pgq.counts()).toEqual([{ queue: 'payment.receipt', status: 'pending', jobs: 3 }])
    const again = await app.run(KIT, 'push', '--force')
    expect(again.output).toContain('No changes detected')
    // And it goes on working.
    await pgq.migrate()
    await pgq.enqueue(defineQueue('payment.receipt'), {})
    expect(await pgq.counts()).toMatchObject([{ jobs: 4 }])
  })

  it.runIf(isVersion1)(
    'of 1.0 pushes the application alone with every schema but ours, too',
    minute,
    async () => {
      const { app, configure, snapshot } = await shop()
      await configure({ schemaFilter: ['!pgq'] })
      const before = await snapshot()
      expect((await app.run(KIT, 'push', '--force')).output).toContain('Changes applied')
      expect(await snapshot()).toEqual([...before, 'public.payments'].toSorted())
    },
  )

  it.runIf(isVersion1)('of 1.0 asks to drop everything of ours when there is no filter', minute, async () => {
    const { app, pgq, configure } = await shop()
    await configure({ schemaFilter: ['public'] })
    await app.run(KIT, 'push', '--force') // so that there is nothing else to do
    await configure({})
    const { code, output } = await app.run(KIT, 'push', '--force')
    expect(code).not.toBe(0)
    expect(output).toContain('"kind": "schema", "entity": ["pgq"]')
    expect(await pgq.counts()).toMatchObject([{ jobs: 3 }])
    const hints = [...output.matchAll(/\{ "type": "confirm_data_loss".*\}/g)].map(([hint]) => hint)
    const planned = await app.run(KIT, 'push', '--explain', '--hints', `[${hints.join(',')}]`)
    expect(planned.output).toContain('DROP TABLE "pgq"."jobs')
  })

  it.runIf(!isVersion1)('before 1.0 looks at no schema but public anyway', minute, async () => {
    const { app, configure, snapshot } = await shop()
    await configure({})
    const before = await snapshot()
    expect((await app.run(KIT, 'push', '--force')).output).toContain('Changes applied')
    expect(await snapshot()).toEqual([...before, 'public.payments'].toSorted())
  })
})

/** An application with drizzle-kit on a database with jobs in it. */
async function shop() {
  const url = await freshDatabase()
  const pgq: Pgq = createPgq({ connectionString: url })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(async () => {
    await pgq.close()
    await client.end()
  })
  await pgq.migrate()
  await pgq.enqueueMany(defineQueue('payment.receipt'), [1, 2, 3])
  const app = await installApp()
  await app.write('schema.ts', SCHEMA)
  return {
    app,
    pgq,
    configure: (config: object) => {
      const all = {
        dialect: 'postgresql',
        schema: './schema.ts',
        out: './drizzle',
        dbCredentials: { url },
        ...config,
      }
      return app.write('drizzle.config.ts', `export default ${JSON.stringify(all)}`)
    },
    /** Every table and view there is. */
    snapshot: async () => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
      )
      return rows.map(({ name }) => name)
    },
  }
}

async function migrations(app: InstalledApp): Promise<string> {
  const folder = join(app.directory, 'drizzle')
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.sql'))
  return (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join('\n')
}
