import { type TransactionDriver, transactionContract } from '@pgq/contracts'
import { createPgq, defineQueue, type Pgq } from '@pgq/core'
import { drizzle } from 'drizzle-orm/node-postgres'
import { inject } from 'vitest'
import { fromDrizzle, handleWithDrizzle, transaction } from '../src/index.ts'
import { type Driver, DRIVERS, openDrizzle, startDrivers } from './support/drivers.ts'

const databaseUrl = inject('databaseUrl')

startDrivers()

for (const driver of DRIVERS) {
  // postgres-js does not say that a transaction has ended.
  const limits = { tellsItsEnd: driver !== 'postgres-js' }

  transactionContract(
    `a transaction of Drizzle on ${driver}`,
    async (pgq) => {
      const { db, close } = await migrated(driver, pgq)
      return {
        db: fromDrizzle(db),
        transaction: (work) =>
          db.transaction((tx) =>
            work(fromDrizzle(tx), (inner) => tx.transaction((nested) => inner(fromDrizzle(nested)))),
          ),
        close,
      }
    },
    limits,
  )

  transactionContract(
    `a guarded transaction on ${driver}`,
    async (pgq) => {
      const { db, close } = await migrated(driver, pgq)
      return {
        db: fromDrizzle(db),
        transaction: (work) =>
          transaction(pgq, db, (tx) =>
            work(fromDrizzle(tx), (inner) => transaction(pgq, tx, (nested) => inner(fromDrizzle(nested)))),
          ),
        close,
      }
    },
    limits,
  )

  transactionContract(
    `a nested transaction of Drizzle on ${driver}`,
    async (pgq) => {
      const { db, close } = await migrated(driver, pgq)
      return {
        db: fromDrizzle(db),
        transaction: (work) =>
          db.transaction((outer) =>
            outer.transaction((tx) =>
              work(fromDrizzle(tx), (inner) => tx.transaction((nested) => inner(fromDrizzle(nested)))),
            ),
          ),
        close,
      }
    },
    limits,
  )
}

transactionContract('the transaction of a handler with Drizzle', async (pgq) => {
  const { db, close } = await migrated('node-postgres', pgq)
  const connected = createPgq({ connectionString: databaseUrl, schema: pgq.schema })
  return {
    db: fromDrizzle(db),
    transaction: inHandler(connected),
    close: async () => {
      await connected.close()
      await close()
    },
  }
})

/** Runs the work in a handler of its own, and removes the job that it was the handler of. */
function inHandler(pgq: Pgq): TransactionDriver['transaction'] {
  const queue = defineQueue('in a handler', { maxAttempts: 1 })
  const handle = handleWithDrizzle((client) => drizzle({ client }))
  return async (work) => {
    let outcome: { readonly answer: unknown } | { readonly error: unknown } | undefined
    const handler = handle(queue, async (_, { tx }) => {
      try {
        outcome = {
          answer: await work(fromDrizzle(tx), (inner) =>
            tx.transaction((nested) => inner(fromDrizzle(nested))),
          ),
        }
      } catch (error) {
        outcome = { error }
        throw error
      }
    })
    const worker = pgq.createWorker([handler], { maintenance: false })
    const ended = new Promise((resolve) => {
      for (const name of ['job.completed', 'job.dead'] as const) pgq.events.on(name, resolve)
    })
    await worker.start()
    const { id } = await pgq.enqueue(queue, {})
    await ended
    await worker.stop()
    await pgq.delete(id)
    if (outcome && 'answer' in outcome) return outcome.answer as never
    throw outcome?.error
  }
}

/** Opens Drizzle where `pgq`, which is connected to nothing, has its schema. */
async function migrated(driver: Driver, pgq: Pgq) {
  const open = await openDrizzle(driver, databaseUrl)
  if (driver === 'pglite') await open.sql(pgq.migrationSql())
  else {
    const connected = createPgq({ connectionString: databaseUrl, schema: pgq.schema })
    await connected.migrate()
    await connected.close()
  }
  return open
}
