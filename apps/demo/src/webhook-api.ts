import { transaction } from '@pgq/drizzle'
import { problems } from '@pgq/express'
import type { Pgq } from '@pgq/core'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { z } from 'zod'
import { paymentWebhooks } from './payment-webhooks.ts'
import { webhooks } from './shop.ts'

/** What a provider sends. The body may be anything that a column can hold, which a NUL is not. */
const delivery = z.object({
  provider: z.enum(['stripe', 'adyen']),
  id: z.string().min(1).max(200),
  receivedAt: z.iso.datetime(),
  body: z.string().refine((text) => !text.includes('\0'), 'must not contain NUL'),
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

/**
 * The endpoint for the webhooks of payment providers: it stores the request and enqueues its job, both or neither. Providers
 * deliver again what was not answered in time, so a webhook that is known already is answered, and not taken again.
 */
export function webhookApi({ pgq, db, beforeCommit }: WebhookApiOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  // As text, whatever it claims to be: a provider's signature is over these bytes, and a broken body must be kept too.
  app.post('/webhooks/:provider', express.text({ type: () => true, limit: '1mb' }), async (req, res) => {
    const { provider, id, receivedAt, body } = delivery.parse({
      provider: req.params['provider'],
      id: req.get('webhook-id'),
      receivedAt: req.get('webhook-received-at'),
      body: req.body ?? '',
    })
    const job = await transaction(pgq, db, async (tx, jobs) => {
      const webhook = { id, provider, receivedAt, headers: req.headers, body }
      const [added] = await tx.insert(webhooks).values(webhook).onConflictDoNothing().returning()
      if (!added) return null
      const payload = { webhookId: id, provider, body }
      const enqueued = await jobs.enqueue(paymentWebhooks, payload)
      beforeCommit(id)
      return enqueued
    })
    if (job) res.status(202).json({ job: job.id })
    else res.status(200).end()
  })
  app.use(problems())
  app.use(notTaken)
  return app
}

/** A provider that hears 503 sends the webhook again, later; one that hears 400 has somebody look at it. */
const notTaken: ErrorRequestHandler = (error, _req, res, _next) => {
  if (error instanceof Mishap) {
    res.status(503).end()
  } else if (error instanceof z.ZodError) {
    const detail = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
    res.status(400).type('application/problem+json')
    res.json({ type: 'about:blank', title: 'Bad Request', status: 400, detail })
  } else {
    console.error(error)
    res.status(500).end()
  }
}
