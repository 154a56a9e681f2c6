// A worker process. An application has a file like this, without the parts that let the example kill it half-way.
import { postToLedger } from './post-to-ledger.ts'
import { sendReceipt } from './send-receipt.ts'
import { openShop } from './shop.ts'

const { DATABASE_URL: connectionString = '', HALT_AT, LEASE_MS } = process.env

const shop = openShop({ connectionString })
shop.pgq.events.on('error', ({ where, error }) => console.error(`worker ${process.pid}: ${where}:`, error))

/** Tells the process that started this one, and then does nothing more for ever: it is about to be killed. */
const haltHalfWay = async (invoice: string): Promise<void> => {
  if (invoice !== HALT_AT) return
  process.send?.('half-way')
  await new Promise(() => {})
}

const worker = shop.pgq.createWorker([sendReceipt(shop), postToLedger(haltHalfWay)], {
  lease: Number(LEASE_MS),
})
await worker.start()
process.send?.('ready')

// The process that started this one says when to stop. If that is gone, there is nothing left to do.
process.once('SIGTERM', () => void shop.close().finally(() => process.disconnect()))
process.once('disconnect', () => process.exit())
process.on('SIGINT', () => {})
