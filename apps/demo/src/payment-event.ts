import { z } from 'zod'

/** What the ledger has to know of a webhook. Amounts are in minor units: cents, yen, fils. */
export interface Movement {
  readonly kind: 'payment' | 'refund' | 'payout' | 'dispute'
  /** Negative when money leaves the account. */
  readonly amountMinor: number
  readonly currency: string
}

/** The body of a webhook is not an event that can be booked: trying again will not help. */
export class MalformedEvent extends Error {
  override readonly name = 'MalformedEvent'
}

const currency = z
  .string()
  .regex(/^[A-Za-z]{3}$/)
  .toUpperCase()
const amount = z.int().nonnegative()

const stripeEvent = z.discriminatedUnion('type', [
  stripe('payment_intent.succeeded', { amount_received: amount, currency }),
  stripe('invoice.paid', { amount_paid: amount, currency }),
  stripe('charge.refunded', { amount_refunded: amount, currency }),
  stripe('payout.paid', { amount, currency }),
  stripe('charge.dispute.created', { amount, currency }),
])

const adyenNotification = z.object({
  notificationItems: z.tuple([
    z.object({
      NotificationRequestItem: z.object({
        eventCode: z.enum(['AUTHORISATION', 'CAPTURE', 'REFUND', 'CHARGEBACK']),
        success: z.literal('true'),
        amount: z.object({ value: amount, currency }),
      }),
    }),
  ]),
})

/**
 * Reads the raw body of a webhook.
 * @throws MalformedEvent saying what is wrong with it
 */
export function readPaymentEvent(provider: 'stripe' | 'adyen', body: string): Movement {
  const json = parseJson(body)
  return provider === 'stripe'
    ? stripeMovement(check(stripeEvent, json))
    : adyenMovement(check(adyenNotification, json))
}

function stripeMovement(event: z.infer<typeof stripeEvent>): Movement {
  const { type, data } = event
  switch (type) {
    case 'payment_intent.succeeded':
      return { kind: 'payment', amountMinor: data.object.amount_received, currency: data.object.currency }
    case 'invoice.paid':
      return { kind: 'payment', amountMinor: data.object.amount_paid, currency: data.object.currency }
    case 'charge.refunded':
      return { kind: 'refund', amountMinor: -data.object.amount_refunded, currency: data.object.currency }
    case 'payout.paid':
      return { kind: 'payout', amountMinor: -data.object.amount, currency: data.object.currency }
    case 'charge.dispute.created':
      return { kind: 'dispute', amountMinor: -data.object.amount, currency: data.object.currency }
  }
}

function adyenMovement(notification: z.infer<typeof adyenNotification>): Movement {
  const { eventCode, amount: moved } = notification.notificationItems[0].NotificationRequestItem
  switch (eventCode) {
    case 'AUTHORISATION':
    case 'CAPTURE':
      return { kind: 'payment', amountMinor: moved.value, currency: moved.currency }
    case 'REFUND':
      return { kind: 'refund', amountMinor: -moved.value, currency: moved.currency }
    case 'CHARGEBACK':
      return { kind: 'dispute', amountMinor: -moved.value, currency: moved.currency }
  }
}

function stripe<Type extends string, Shape extends z.ZodRawShape>(type: Type, object: Shape) {
  return z.object({ type: z.literal(type), data: z.object({ object: z.object(object) }) })
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    const what = body.trimStart().startsWith('<') ? 'an HTML page' : 'not JSON, or not all of it'
    throw new MalformedEvent(`the body is ${what}`, { cause: error })
  }
}

function check<Schema extends z.ZodType>(schema: Schema, json: unknown): z.infer<Schema> {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) => `${path.slice(-2).join('.')}: ${message}`)
  throw new MalformedEvent(issues.join('; '), { cause: result.error })
}
