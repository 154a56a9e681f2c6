import { Table } from 'console-table-printer'
import type { Outcome } from './run.ts'

/** Tells what has happened, for people. */
export function tellStory({ payments, refusal, crash, ledger, deadReceipts }: Outcome): string {
  return [
    '1. Five payments came in. Their rows and two jobs for each, a posting and a receipt, were one transaction.',
    `2. Invoice ${refusal.invoice} came in again, together with a new one. The constraint ${refusal.constraint} refused it`,
    `   when ${refusal.enqueued} jobs were enqueued already. Of these there are ${refusal.jobsLeft} now, and ${refusal.paymentsLeft} new payments.`,
    `3. Worker ${crash.pid} was killed between the two postings of invoice ${crash.invoice}. It left ${crash.postings} postings,`,
    `   and the job "${crash.job.status}", in attempt ${crash.job.attempts}.`,
    '4. A second worker took the job over when the lease had run out, and did the rest:',
    '',
    table(
      payments.map((payment) => ({
        invoice: payment.invoice,
        amount: `${(payment.amountMinor / 100).toFixed(2)} ${payment.currency}`,
        posting: payment.posted,
        'in attempt': payment.postedAttempts,
        receipt: payment.receipt,
      })),
    ),
    '',
    `   The ledger has ${ledger.postings} postings of these payments, ${ledger.duplicated} of them made twice, and a balance of ${ledger.balance}.`,
    '5. Receipts that nobody can send, with the payments that they are for:',
    '',
    table(deadReceipts.map(({ invoice, email, attempts, error }) => ({ invoice, email, attempts, error }))),
    '',
  ].join('\n')
}

function table(rows: readonly object[]): string {
  const printed = new Table({
    rows: [...rows],
    shouldDisableColors: true,
    defaultColumnOptions: { alignment: 'left' },
  })
  return printed.render()
}
