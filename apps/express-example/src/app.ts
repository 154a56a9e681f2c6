import type { Pgq, Worker } from '@pgq/core'
import { healthRouter, jobStatusRouter, pgqMiddleware, problems } from '@pgq/express'
import express, { type Express } from 'express'
import { authenticate, userOf } from './authenticate.ts'
import type { Config } from './config.ts'
import type { Database } from './database.ts'
import { invalidInput } from './input.ts'
import { orderRoutes } from './routes/orders.ts'
import { reportRoutes } from './routes/reports.ts'
import { unexpected } from './unexpected.ts'

/** What the application is made of. */
export interface AppParts {
  readonly pgq: Pgq
  readonly database: Database
  readonly config: Config
  /** Those of this process. */
  readonly workers: readonly Worker[]
}

/** The routes. A process without the API answers for its health alone. */
export function createApp({ pgq, database, config, workers }: AppParts): Express {
  const app = express().disable('x-powered-by')
  app.use(healthRouter(pgq, { workers }))
  if (!config.api) return app
  // Before the body is read: strangers' bodies are not.
  app.use(authenticate(config.users), express.json({ limit: '100kb' }))
  app.use(pgqMiddleware(pgq, { idempotency: { scope: userOf, required: true } }))
  app.use('/orders', orderRoutes(database))
  app.use('/reports', reportRoutes(database))
  // A job belongs to whoever asked for it; foreign ones are answered like those that don't exist.
  app.use('/jobs', jobStatusRouter(pgq, { authorize: (req, job) => job.metadata['owner'] === userOf(req) }))
  app.use(invalidInput, problems(), unexpected)
  return app
}
