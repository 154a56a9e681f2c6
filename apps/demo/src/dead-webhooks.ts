import type pg from 'pg'

/** A job that was given up, with the business row that it was about. */
export interface DeadWebhook {
  readonly webhook: string
  readonly provider: string
  readonly attempts: number
  readonly error: string
  readonly body: string
}

/** The join that a queue in another system can't do. It is printed together with what it finds. */
export const DEAD_WEBHOOKS = `
SELECT webhook.id AS webhook, webhook.provider, job.attempts, job.error, left(webhook.body, 24) AS body
FROM pgq_demo.jobs AS job
JOIN pgq_demo_shop.webhooks AS webhook ON webhook.id = job.payload->>'webhookId'
WHERE job.status = 'dead'
ORDER BY webhook.received_at`.trim()

/** Finds the webhooks that nothing could be done with. */
export async function readDeadWebhooks(pool: pg.Pool): Promise<DeadWebhook[]> {
  return (await pool.query<DeadWebhook>(DEAD_WEBHOOKS)).rows
}
