import type { Pgq, Queryable } from '@pgq/core'
import { paymentWebhooks } from './payment-webhooks.ts'
import type { Webhook } from './webhook-file.ts'

/** Thrown to undo a transaction, as any error would. */
class RolledBack extends Error {}

/**
 * What the endpoint for webhooks does: it stores the request and enqueues its job, both or neither.
 * With `fail` the transaction comes to grief after both were written, and must leave nothing.
 * @returns whether it was committed
 */
export async function receiveWebhook(
  pgq: Pgq,
  webhook: Webhook,
  { fail }: { fail: boolean },
): Promise<boolean> {
  try {
    await pgq.transaction(async (tx) => {
      await storeWebhook(tx, webhook)
      const { id: webhookId, provider, body } = webhook
      await pgq.enqueue(paymentWebhooks, { webhookId, provider, body }, { tx })
      if (fail) throw new RolledBack()
    })
    return true
  } catch (error) {
    if (error instanceof RolledBack) return false
    throw error
  }
}

async function storeWebhook(
  tx: Queryable,
  { id, provider, receivedAt, headers, body }: Webhook,
): Promise<void> {
  await tx.query(
    `INSERT INTO pgq_demo_shop.webhooks (id, provider, received_at, headers, body) VALUES ($1, $2, $3, $4, $5)`,
    [id, provider, receivedAt, JSON.stringify(headers), body],
  )
}
