import type { Pgq, Worker } from '@pgq/core'
import type { Config } from './config.ts'
import type { Database } from './database.ts'
import { buildReport } from './handlers/build-report.ts'
import { fulfilOrder } from './handlers/fulfil-order.ts'

/** What runs the jobs. Start it, and as many in other processes as you like. */
export function createShopWorker(pgq: Pgq, database: Database, config: Config): Worker {
  const handlers = [fulfilOrder, buildReport(database, config.monthMs)]
  return pgq.createWorker(handlers, { lease: config.leaseMs, shutdownTimeout: '20s' })
}
