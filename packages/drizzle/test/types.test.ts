import { expect, it } from 'vitest'
import { installApp, isVersion1 } from './support/installed-app.ts'

const CONFIG = JSON.stringify({
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    skipLibCheck: true,
  },
  include: ['*.ts'],
})

/** What an application writes. Lines that must not compile say so. */
const USE = `
import { PGlite } from '@electric-sql/pglite'
import { createPgq, defineQueue, type JobStatus } from '@pgq/core'
import { fromDrizzle, handleWithDrizzle, jobs, jobsIn, jobsOf, transaction } from '@pgq/drizzle'
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import { alias, integer, pgTable, text } from 'drizzle-orm/pg-core'
import pg from 'pg'
import postgres from 'postgres'
import { z } from 'zod'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>): void => {}

const payments = pgTable('payments', { id: text('id').primaryKey(), amount: integer('amount').notNull() })
const receipts = defineQueue('payment.receipt', {
  payload: z.object({ paymentId: z.string(), paidAt: z.date().optional(), copies: z.number().default(1) }),
  result: z.object({ messageId: z.string() }),
})
const pgq = createPgq({ connectionString: 'postgres://localhost/shop' })
const onPg = drizzle({ client: new pg.Pool() })
const onPostgresJs = drizzlePostgresJs({ client: postgres() })
const onPglite = drizzlePglite({ client: new PGlite() })

// Every driver's db, transaction and nested transaction is taken as it is.
fromDrizzle(onPg), fromDrizzle(onPostgresJs), fromDrizzle(onPglite)
await onPg.transaction(async (tx) => (fromDrizzle(tx), tx.transaction(async (nested) => fromDrizzle(nested))))
await onPostgresJs.transaction(async (tx) => (fromDrizzle(tx), tx.transaction(async (nested) => fromDrizzle(nested))))
await onPglite.transaction(async (tx) => (fromDrizzle(tx), tx.transaction(async (nested) => fromDrizzle(nested))))
// @ts-expect-error a pool is no Drizzle
fromDrizzle(new pg.Pool())
// @ts-expect-error a query has an execute too
fromDrizzle(onPg.select().from(payments))
// @ts-expect-error and so has a prepared one
fromDrizzle(onPostgresJs.select().from(payments).prepare('all'))

// The jobs, and a join with a table.
const [job] = await onPg.select().from(jobs)
if (job) {
  same<typeof job.id, string>(true)
  same<typeof job.status, JobStatus>(true)
  same<typeof job.scheduledFor, Date>(true)
  same<typeof job.completedAt, Date | null>(true)
  same<typeof job.attempts, number>(true)
  same<typeof job.error, string | null>(true)
  job.errors?.[0]?.message
  // @ts-expect-error there is no such column
  job.retries
}
const receiptJobs = jobsOf(receipts)
const joined = await onPg
  .select()
  .from(payments)
  .leftJoin(receiptJobs, eq(sql\`\${receiptJobs.payload} ->> 'paymentId'\`, payments.id))
for (const { payments: payment, jobs: one } of joined) {
  same<typeof payment.amount, number>(true)
  if (!one) continue
  same<typeof one.payload.paymentId, string>(true)
  same<typeof one.payload.paidAt, string | undefined>(true) // a Date is stored as text
  same<typeof one.payload.copies, number | undefined>(true) // what was given, not what the schema makes of it
  same<typeof one.result, { messageId: string } | null>(true)
  // @ts-expect-error it is no part of the payload
  one.payload.amount
}
const named = jobsOf(receipts, { as: 'receipts', schema: 'billing' })
const [row] = await onPostgresJs.select().from(payments).innerJoin(named, eq(named.id, payments.id))
same<NonNullable<typeof row>['receipts']['payload']['paymentId'], string>(true)
const [partial] = await onPglite.select({ id: jobs.id, status: jobs.status, error: jobs.error }).from(jobs)
same<typeof partial, { id: string; status: JobStatus; error: string | null } | undefined>(true)
await onPg.select().from(jobsIn('billing')).where(eq(jobsIn('billing').status, 'dead'))
// @ts-expect-error no status is called so
await onPg.select().from(jobs).where(eq(jobs.status, 'waiting'))
alias(jobs, 'other').id
// @ts-expect-error a view is not written to
await onPg.insert(jobs).values({})

// The guarded transaction.
const id = await transaction(pgq, onPostgresJs, async (tx, { enqueue, enqueueMany }) => {
  await tx.insert(payments).values({ id: 'p_1', amount: 1 })
  await enqueueMany(receipts, [{ paymentId: 'p_1' }], { delay: '5s' })
  // @ts-expect-error the wrong payload
  await enqueue(receipts, { paymentId: 5 })
  // @ts-expect-error the transaction is this one
  await enqueue(receipts, { paymentId: 'p_1' }, { tx: fromDrizzle(tx) })
  // @ts-expect-error no such column
  await tx.insert(payments).values({ id: 'p_1', amont: 1 })
  return (await enqueue(receipts, { paymentId: 'p_1' })).id
}, { isolationLevel: 'serializable' })
same<typeof id, string>(true)
await transaction(pgq, onPg, async (tx) => transaction(pgq, tx, async (nested) => void nested.rollback))
await transaction(pgq, onPglite, async (tx) => tx.select().from(payments), { accessMode: 'read only' })
// @ts-expect-error no such isolation level
await transaction(pgq, onPg, async () => {}, { isolationLevel: 'best' })

// The handler: its payload, its result, and the transaction of its own db.
const handle = handleWithDrizzle((client) => drizzle({ client, schema: { payments } }))
handle(receipts, async (job, { tx, signal, progress }) => {
  same<typeof job.payload.paidAt, Date | undefined>(true)
  same<typeof signal, AbortSignal>(true)
  await progress(0.5)
  await tx.insert(payments).values({ id: job.payload.paymentId, amount: job.payload.copies })
  const [found] = await tx.query.payments.findMany({ columns: { amount: true } })
  same<typeof found, { amount: number } | undefined>(true)
  await tx.transaction(async (nested) => nested.delete(payments))
  await pgq.enqueue(receipts, { paymentId: 'p_2' }, { tx: fromDrizzle(tx) })
  return { messageId: 'm_1' }
}, { concurrency: 5 })
// @ts-expect-error the wrong result
handle(receipts, async () => ({ messageId: 5 }))
// @ts-expect-error it is transactional anyway
handle(receipts, async () => ({ messageId: 'm' }), { transactional: false })
`

/** In 1.0 relations are declared in another way. */
const USE_1 = USE.replace('import { eq, sql }', 'import { defineRelations, eq, sql }').replace(
  'schema: { payments }',
  'relations: defineRelations({ payments })',
)

it('the declarations fit this version of Drizzle', { timeout: 90_000 }, async () => {
  const app = await installApp()
  await app.write('tsconfig.json', CONFIG)
  await app.write('use.ts', isVersion1 ? USE_1 : USE)
  const { output } = await app.run('typescript/bin/tsc')
  expect(output).toBe('')
})
