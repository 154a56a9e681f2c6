import { createPgq, type Pgq, type Queryable, type Transaction } from '@pgq/core'
import { type TransactionDriver, transactionContract } from '@pgq/contracts'
import express, { type Request, type Response } from 'express'
import pg from 'pg'
import { inject } from 'vitest'
import { pgqMiddleware, type RequestQueue } from '../src/index.ts'

/** The queue of a request with an idempotency key of its own. */
function requestQueue(pgq: Pgq): RequestQueue {
  const req = Object.create(express.request) as Request
  Object.assign(req, {
    headers: { 'idempotency-key': `"${Math.random()}"` },
    method: 'POST',
    originalUrl: '/',
  })
  void pgqMiddleware(pgq, { idempotency: { scope: 'all' } })(req, {} as Response, () => {})
  return req.pgq
}

/** How a request opens a transaction. */
type Open = <T>(queue: RequestQueue, work: (tx: Transaction) => Promise<T>) => Promise<T>

/** The pgq of the suite has no connection, so that nothing can go past `tx`; the requests have one that has. */
async function driver({ schema }: Pgq, open: Open): Promise<TransactionDriver> {
  const db = new pg.Pool({ connectionString: inject('databaseUrl') })
  const pgq = createPgq({ pool: db, schema })
  await pgq.migrate()
  return {
    db,
    transaction: (work) => open(requestQueue(pgq), (tx) => work(tx, (inner) => savepoint(tx, inner))),
    close: () => db.end(),
  }
}

async function savepoint<T>(tx: Transaction, work: (tx: Queryable) => Promise<T>): Promise<T> {
  await tx.query('SAVEPOINT nested')
  try {
    const answer = await work(tx)
    await tx.query('RELEASE nested')
    return answer
  } catch (error) {
    await tx.query('ROLLBACK TO nested')
    throw error
  }
}

transactionContract('req.pgq.transaction', (pgq) => driver(pgq, (queue, work) => queue.transaction(work)))

transactionContract('req.pgq.idempotent', (pgq) =>
  driver(pgq, async (queue, work) => {
    let answer: { readonly value: Awaited<ReturnType<typeof work>> } | undefined
    await queue.idempotent(async (tx) => {
      answer = { value: await work(tx) }
      return {}
    })
    if (!answer) throw new Error('the work was not done')
    return answer.value
  }),
)
