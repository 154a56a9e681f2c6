import { fromDrizzle } from '@pgq/drizzle'
import { pgqMiddleware, problems } from '@pgq/express'
import type { Pgq } from '@pgq/core'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { z } from 'zod'
import { paymentWebhooks } from './payment-webhooks.ts'
import { webhooks } from './shop.ts'

/** What a provider sends beside the body. */
const envelope = z.object({
  provider: z.enum(['stripe', 'adyen']),
  id: z.string(),
  receivedAt: z.iso.datetime(),
})

/** Thrown where the demo wants a transaction to come to grief. */
export class Mishap extends Error {
  override readonly name = 'Mishap'
}

/** What the endpoint is made of. */
export interface WebhookApiOptions {
  readonly pgq: Pgq
  readonly db: NodePgDatabase
  /** Called in each transaction when everything is written: what it throws undoes that. */
  readonly beforeCommit: (webhookId: string) => void
}

/** The endpoint for the webhooks of payment providers: it stores the request and enqueues its job, both or neither. */
export function webhookApi({ pgq, db, beforeCommit }: WebhookApiOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(pgqMiddleware(pgq))
  // As text, whatever it claims to be: a provider's signature is over these bytes, and a broken body must be kept too.
  app.post('/webhooks/:provider', express.text({ type: () => true, limit: '1mb' }), async (req, res) => {
    const { provider, id, receivedAt } = envelope.parse({
      provider: req.params['provider'],
      id: req.get('webhook-id'),
      receivedAt: req.get('webhook-received-at'),
    })
    const body: string = req.body ?? ''
    const job = await db.transaction(async (tx) => {
      await tx.insert(webhooks).values({ id, provider, receivedAt, headers: req.headers, body })
      const payload = { webhookId: id, provider, body }
      const enqueued = await req.pgq.enqueue(paymentWebhooks, payload, { tx: fromDrizzle(tx) })
      beforeCommit(id)
      return enqueued
    })
    req.pgq.accepted(res, job)
  })
  app.use(problems())
  app.use(mishaps)
  return app
}

/** A provider that hears 503 sends the webhook again, later. */
const mishaps: ErrorRequestHandler = (error, _req, res, next) => {
  if (error instanceof Mishap) res.status(503).end()
  else next(error)
}
