import type { Outcome } from './run.ts'

/** What went wrong that never may: each in a sentence. */
export function findFaults({ payments, refusal, crash, ledger }: Outcome): string[] {
  const faults: string[] = []
  const fault = (wrong: boolean, what: string): void => void (wrong && faults.push(what))
  fault(refusal.jobsLeft !== 0, `a payment that was refused has left ${refusal.jobsLeft} jobs`)
  fault(refusal.paymentsLeft !== 0, `a payment that was refused has left ${refusal.paymentsLeft} rows`)
  fault(crash.postings !== 0, `a worker that was killed half-way has left ${crash.postings} postings`)
  fault(
    ledger.postings !== payments.length * 2,
    `${payments.length} payments have ${ledger.postings} postings`,
  )
  fault(ledger.duplicated !== 0, `${ledger.duplicated} postings were made twice`)
  fault(ledger.balance !== 0, `the ledger is out of balance by ${ledger.balance}`)
  return faults
}
