import { PGlite, type Transaction } from '@electric-sql/pglite'
import { createPgq, defineQueue, handle, type Pgq, type Queryable } from '@pgq/core'
import pg from 'pg'
import postgres from 'postgres'
import { inject } from 'vitest'
import { type Nested, type TransactionDriver, transactionContract } from '../src/transaction-contract.ts'

const databaseUrl = inject('databaseUrl')

/** Savepoints by hand. */
const savepoints =
  (tx: Queryable): Nested =>
  async (work) => {
    await tx.query('SAVEPOINT nested')
    try {
      return await work(tx)
    } catch (error) {
      await tx.query('ROLLBACK TO nested')
      throw error
    }
  }

/** Migrates the schema of `pgq`, which is connected to nothing, in the database of the tests. */
async function onServer(pgq: Pgq): Promise<Pgq> {
  const connected = createPgq({ connectionString: databaseUrl, schema: pgq.schema })
  await connected.migrate()
  return connected
}

transactionContract('a client of pg', async (pgq): Promise<TransactionDriver> => {
  const connected = await onServer(pgq)
  await connected.close()
  const db = new pg.Client({ connectionString: databaseUrl })
  const client = new pg.Client({ connectionString: databaseUrl })
  await Promise.all([db.connect(), client.connect()])
  return {
    db: { query: (...query) => db.query(...query), autocommit: true },
    async transaction(work) {
      await client.query('BEGIN')
      try {
        const answer = await work(client, savepoints(client))
        await client.query('COMMIT')
        return answer
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      }
    },
    close: async () => void (await Promise.all([db.end(), client.end()])),
  }
})

transactionContract('a transaction of pgq', async (pgq) => {
  const connected = await onServer(pgq)
  const db = new pg.Client({ connectionString: databaseUrl })
  await db.connect()
  return {
    db,
    transaction: (work) => connected.transaction((tx) => work(tx, savepoints(tx))),
    close: async () => void (await Promise.all([db.end(), connected.close()])),
  }
})

transactionContract('ctx.tx of a transactional handler', async (pgq) => {
  const connected = await onServer(pgq)
  const db = new pg.Client({ connectionString: databaseUrl })
  await db.connect()
  return {
    db,
    transaction: inHandler(connected, db),
    close: async () => void (await Promise.all([db.end(), connected.close()])),
  }
})

/** Runs the work in a handler of its own, and removes the job that it was the handler of. */
function inHandler(pgq: Pgq, db: Queryable): TransactionDriver['transaction'] {
  const queue = defineQueue('in a handler', { maxAttempts: 1 })
  return async (work) => {
    let outcome: { readonly answer: unknown } | { readonly error: unknown } | undefined
    const handler = handle(
      queue,
      async (_, { tx }) => {
        try {
          outcome = { answer: await work(tx, savepoints(tx)) }
        } catch (error) {
          outcome = { error }
          throw error
        }
      },
      { transactional: true },
    )
    const worker = pgq.createWorker([handler])
    await worker.start()
    const { id } = await pgq.enqueue(queue, {})
    for await (const job of pgq.watch(id, { interval: 20 })) void job
    await worker.stop()
    await db.query(`DELETE FROM "${pgq.schema.replaceAll('"', '""')}".jobs WHERE id = '${id}'`)
    if (outcome && 'error' in outcome) throw outcome.error
    return outcome?.answer as never
  }
}

const throughPostgresJs = (sql: postgres.Sql | postgres.TransactionSql): Queryable => ({
  query: async (text, values) => ({ rows: await sql.unsafe(text, values) }),
})

transactionContract(
  'a transaction of postgres.js',
  async (pgq) => {
    const connected = await onServer(pgq)
    await connected.close()
    const sql = postgres(databaseUrl, { max: 3, onnotice: () => {} })
    return {
      db: { ...throughPostgresJs(sql), autocommit: true },
      transaction: (work) =>
        sql.begin((tx) =>
          work(
            throughPostgresJs(tx),
            (inside) => tx.savepoint((inner) => inside(throughPostgresJs(inner))) as never,
          ),
        ) as never,
      close: () => sql.end(),
    }
  },
  { tellsItsEnd: false },
)

/** A PGlite transaction knows when it has ended. */
const throughPglite = (tx: Transaction): Queryable => ({
  query: (...query) => tx.query(...query),
  getTransactionStatus: () => (tx.closed ? 'I' : 'T'),
})

transactionContract('a transaction of PGlite', async (pgq) => {
  const db = await PGlite.create()
  await db.exec(pgq.migrationSql())
  return {
    db: { query: (...query) => db.query(...query), autocommit: true },
    transaction: (work) =>
      db.transaction((tx) => work(throughPglite(tx), savepoints(throughPglite(tx)))) as never,
    close: () => db.close(),
  }
})
