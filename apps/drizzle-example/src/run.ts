import { type Crash, crashHalfWay } from './crash.ts'
import { openDatabase } from './database.ts'
import { migrateShop } from './migrate-shop.ts'
import {
  type DeadReceipt,
  type LedgerReport,
  type PaymentReport,
  readDeadReceipts,
  readLedger,
  readPayments,
} from './report.ts'
import { openShop, type Shop } from './shop.ts'
import { takePayments } from './take-payments.ts'
import { incomingPayments } from './incoming-payments.ts'
import { type Refusal, refuseSecondPayment } from './second-payment.ts'
import { WorkerProcess } from './worker-process.ts'

/** What came out of a run. */
export interface Outcome {
  readonly payments: readonly PaymentReport[]
  readonly refusal: Refusal
  readonly crash: Crash
  readonly ledger: LedgerReport
  readonly deadReceipts: readonly DeadReceipt[]
}

/** Runs the example once. What it makes in the database that `DATABASE_URL` names stays there, as in production. */
export async function runExample(): Promise<Outcome> {
  const database = await openDatabase()
  const shop = openShop({ connectionString: database.url })
  try {
    await migrateShop(shop)
    return await play(shop, database.url)
  } finally {
    await shop.close()
    await database.stop()
  }
}

async function play(shop: Shop, databaseUrl: string): Promise<Outcome> {
  const incoming = incomingPayments()
  const taken = await takePayments(shop, incoming)
  const refusal = await refuseSecondPayment(shop, incoming)
  const crash = await crashHalfWay(shop, databaseUrl, incoming[0].invoice)
  const jobIds = taken.flatMap((payment) => payment.jobIds)
  await finish(shop, databaseUrl, jobIds)
  const ids = taken.map((payment) => payment.id)
  return {
    payments: await readPayments(shop, ids),
    refusal,
    crash,
    ledger: await readLedger(shop, ids),
    deadReceipts: await readDeadReceipts(shop, ids),
  }
}

/** Has a second worker do what is left, the rescued job of the first one among it. */
async function finish({ pgq }: Shop, databaseUrl: string, jobIds: readonly string[]): Promise<void> {
  const worker = new WorkerProcess(databaseUrl)
  try {
    await worker.said('ready')
    const ended = jobIds.map(async (id) => {
      for await (const _ of pgq.watch(id)); // it ends with the job
    })
    await Promise.all(ended)
  } finally {
    await worker.stop()
  }
}
