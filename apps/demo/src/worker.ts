// One worker process. An application has a file like this, without the parts that tie it to the demo.
import { createPgq } from '@pgq/core'
import { QUEUE_SCHEMA } from './payment-webhooks.ts'
import { postToLedger } from './post-to-ledger.ts'

const { DATABASE_URL: connectionString = '', EXCHANGE_URL = '', WORKER_NAME = '', LEASE_MS } = process.env

const pgq = createPgq({ connectionString, schema: QUEUE_SCHEMA })
pgq.events.on('error', ({ where, error }) => console.error(`${WORKER_NAME}: ${where}:`, error))

const worker = pgq.createWorker([postToLedger(EXCHANGE_URL)], { name: WORKER_NAME, lease: Number(LEASE_MS) })
await worker.start()

// The process that started this one says when to stop. If that is gone, so is what this one works for. Ctrl-C reaches all
// processes of a terminal at once; it is for that one to decide what it means.
process.once('SIGTERM', () => void pgq.close().finally(() => process.disconnect()))
process.once('disconnect', () => process.exit())
process.on('SIGINT', () => {})
process.send?.('ready')
