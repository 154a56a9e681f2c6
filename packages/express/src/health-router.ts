import { type Duration, durationMs, type Pgq, type Worker } from '@pgq/core'
import { knownOptions } from '@pgq/core/options'
import { problemType } from '@pgq/core/problems'
import { type Response, Router } from 'express'
import { assertPgq } from './assert-pgq.ts'
import { workersOption } from './list-options.ts'
import { sendProblem } from './problem.ts'
import { Readiness } from './readiness.ts'

/** Options of `healthRouter`. */
export interface HealthOptions {
  /** Workers of this process: it is ready while all of them run. */
  readonly workers?: readonly Worker[]
  /** How long the database may take to answer, 1 ms to 1 m. @default 2s */
  readonly timeout?: Duration
  /** How long an answer of the database counts, 0 to 1 m: however often one asks, it is looked at no more often. @default 1s */
  readonly cacheFor?: Duration
  /** For how long the claim loop of a worker may make no progress while the database answers, 1 s to 1 h. @default 1m */
  readonly stalledAfter?: Duration
}

/**
 * Routes for whoever watches over the process. `GET /livez` is 503 when it should be started again: when the claim loop of a worker hangs
 * though the database answers. `GET /readyz` is 200 when it
 * should be given work, and 503 when it shuts down, when its database can't be reached or has no schema that fits, and when
 * a worker does not run.
 * @throws PgqError INVALID_OPTION
 */
export function healthRouter(pgq: Pgq, options: HealthOptions = {}): Router {
  assertPgq('healthRouter', pgq)
  knownOptions('healthRouter', options, ['workers', 'timeout', 'cacheFor', 'stalledAfter'])
  const workers = workersOption(options.workers ?? [])
  const stalledMs = durationMs('stalledAfter', options.stalledAfter ?? '1m', { min: 1_000, max: 3_600_000 })
  const readiness = new Readiness(pgq, {
    workers,
    timeoutMs: durationMs('timeout', options.timeout ?? '2s', { min: 1, max: 60_000 }),
    cacheMs: durationMs('cacheFor', options.cacheFor ?? '1s', { max: 60_000 }),
  })
  const router = Router()
  router.get('/livez', (_req, res) => {
    if (workers.some((worker) => worker.stalledMs > stalledMs))
      sendProblem(res, { ...NOT_LIVE, checks: { workers: 'stalled' } }, 1)
    else live(res)
  })
  router.get('/readyz', async (_req, res) => {
    const { isReady, checks } = await readiness.look()
    if (isReady) res.set('Cache-Control', 'no-store').json({ status: 'ok', checks })
    else sendProblem(res, { ...NOT_READY, checks }, 1)
  })
  return router
}

function live(res: Response): void {
  res.set('Cache-Control', 'no-store').json({ status: 'ok' })
}

const NOT_LIVE = { type: problemType('not-live'), status: 503, title: 'Not live' }
const NOT_READY = { type: problemType('not-ready'), status: 503, title: 'Not ready' }
