import { DeadJob, type Handler } from '@pgq/core'
import { handleWithDrizzle } from '@pgq/drizzle'
import { type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { exchangeRate } from './exchange-rate.ts'
import { MalformedEvent, type Movement, readPaymentEvent } from './payment-event.ts'
import { paymentWebhooks } from './payment-webhooks.ts'
import { ledgerPostings } from './shop.ts'

/** How many webhooks one worker process handles at once. */
const CONCURRENCY = 20

const handle = handleWithDrizzle((client) => drizzle({ client }))

/**
 * The handler: reads the event, asks the exchange, writes the posting. Its transaction completes the job as well: however
 * often it runs, there is one posting.
 */
export function postToLedger(exchangeUrl: string): Handler {
  return handle(
    paymentWebhooks,
    async (job, ctx) => {
      const { webhookId, provider, body } = job.payload
      const movement = movementOrDead(provider, body)
      const { currency } = movement
      const rate = await exchangeRate(exchangeUrl, { currency, webhookId, signal: ctx.signal })
      await ctx.tx
        .insert(ledgerPostings)
        .values({ webhookId, ...movement, amountEur: inEuros(movement, rate) })
    },
    { concurrency: CONCURRENCY },
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

/** Rounded by PostgreSQL, which counts in decimals. */
function inEuros({ amountMinor, currency }: Movement, rate: number): SQL {
  return sql`round(${(amountMinor / 10 ** minorDigits(currency)) * rate}::numeric, 2)`
}

/** Two for most currencies; the yen has none, the Kuwaiti dinar has three. */
function minorDigits(currency: string): number {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.resolvedOptions().maximumFractionDigits ?? 2
}
