import { DeadJob, type Handler, handle, type Queryable } from '@pgq/core'
import { exchangeRate } from './exchange-rate.ts'
import { MalformedEvent, type Movement, readPaymentEvent } from './payment-event.ts'
import { paymentWebhooks } from './payment-webhooks.ts'

/** How many webhooks one worker process handles at once. */
const CONCURRENCY = 20

/**
 * The handler: reads the event, asks the exchange, writes the posting. It is transactional, so that the posting and the
 * completion of the job commit together: however often it runs, there is one posting.
 */
export function postToLedger(exchangeUrl: string): Handler {
  return handle(
    paymentWebhooks,
    async (job, ctx) => {
      const { webhookId, provider, body } = job.payload
      const movement = movementOrDead(provider, body)
      const { currency } = movement
      const rate = await exchangeRate(exchangeUrl, { currency, webhookId, signal: ctx.signal })
      await writePosting(ctx.tx, webhookId, movement, rate)
    },
    { transactional: true, concurrency: CONCURRENCY },
  )
}

/** An exchange that fails is worth another attempt, which any error gets; an event that is broken stays broken. */
function movementOrDead(provider: 'stripe' | 'adyen', body: string): Movement {
  try {
    return readPaymentEvent(provider, body)
  } catch (error) {
    if (error instanceof MalformedEvent) throw new DeadJob(error.message, { cause: error })
    throw error
  }
}

async function writePosting(
  tx: Queryable,
  webhookId: string,
  { kind, amountMinor, currency }: Movement,
  rate: number,
): Promise<void> {
  const amount = amountMinor / 10 ** minorDigits(currency)
  await tx.query(
    `INSERT INTO pgq_demo_shop.ledger_postings (webhook_id, kind, amount_minor, currency, amount_eur)
     VALUES ($1, $2, $3, $4, round($5::numeric, 2))`,
    [webhookId, kind, amountMinor, currency, amount * rate],
  )
}

/** Two for most currencies; the yen has none, the Kuwaiti dinar has three. */
function minorDigits(currency: string): number {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.resolvedOptions().maximumFractionDigits ?? 2
}
