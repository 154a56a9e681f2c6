import { createPgq, logEvents } from '@pgq/core'
import { gracefulShutdown } from '@pgq/express'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'
import { openDatabase } from './database.ts'
import { createTables } from './schema.ts'
import { listen } from './server.ts'
import { createShopWorker } from './worker.ts'

const config = readConfig(process.env, process.argv.slice(2))
const database = await openDatabase(config.databaseUrl)
const pgq = createPgq({ pool: database.pool })
logEvents(pgq.events, { ...console, debug: () => {} })
await pgq.migrate()
await createTables(database)

const workers = config.worker ? [createShopWorker(pgq, database, config)] : []
for (const worker of workers) await worker.start()

const { server, url } = await listen(createApp({ pgq, database, config, workers }), config.port)
gracefulShutdown({
  server,
  pgq,
  workers,
  pools: [database],
  timeout: '28s',
  onStep: ({ step, late, error }) =>
    console.log(`shutdown: ${step}${late ? ' is late' : ''}`, ...(error === undefined ? [] : [error])),
})

const roles = [config.api && 'API', config.worker && 'worker'].filter(Boolean).join(' and ')
console.log(`listening on ${url} (${roles})`)
if (config.api) {
  console.log(`
  curl -i ${url}/orders -H 'X-Api-Key: ada-key' -H 'Idempotency-Key: order-1' --json '{"item": "tea", "quantity": 2}'
  curl -i ${url}/reports -H 'X-Api-Key: ada-key' --json '{"year": ${new Date().getFullYear()}}'
  curl -N -H 'X-Api-Key: ada-key' ${url}/jobs/<the id of the second answer>/events
`)
}
