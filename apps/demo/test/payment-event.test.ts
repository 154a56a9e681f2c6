import { expect, test } from 'vitest'
import { readPaymentEvent } from '../src/payment-event.ts'

test('a payment of Stripe is money that comes in, in a currency in upper case', () => {
  const event = {
    type: 'payment_intent.succeeded',
    data: { object: { amount_received: 1_999, currency: 'jpy' } },
  }
  expect(readPaymentEvent('stripe', JSON.stringify(event))).toEqual({
    kind: 'payment',
    amountMinor: 1_999,
    currency: 'JPY',
  })
})

test('a refund of Adyen is money that goes out', () => {
  const NotificationRequestItem = {
    eventCode: 'REFUND',
    success: 'true',
    amount: { value: 12_340, currency: 'KWD' },
  }
  const body = JSON.stringify({ live: 'true', notificationItems: [{ NotificationRequestItem }] })
  expect(readPaymentEvent('adyen', body)).toEqual({ kind: 'refund', amountMinor: -12_340, currency: 'KWD' })
})

test('an event of a type that the ledger does not know is malformed', () => {
  const body = JSON.stringify({ type: 'customer.created', data: { object: {} } })
  expect(() => readPaymentEvent('stripe', body)).toThrow('type: Invalid')
})
