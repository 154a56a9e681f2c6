import { randomBytes } from 'node:crypto'
import type { NewPayment } from './take-payments.ts'

/** Five payments of invoices that no other run has; the third of them has an address at which mail bounces. */
export function incomingPayments(): [NewPayment, ...NewPayment[]] {
  const run = randomBytes(4).toString('hex')
  const payment = (index: number, customer: string, amountMinor: number): NewPayment => ({
    invoice: `${run}-${index}`,
    email: customer,
    amountMinor,
    currency: 'EUR',
  })
  return [
    payment(1, 'ada@example.com', 42_00),
    payment(2, 'grace@example.com', 1_337_00),
    payment(3, 'nobody@bounces.example', 9_99),
    payment(4, 'edsger@example.com', 250_00),
    payment(5, 'barbara@example.com', 79_50),
  ]
}
