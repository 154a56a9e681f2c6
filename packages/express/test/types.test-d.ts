// oxlint-disable vitest/expect-expect -- the compiler expects
import {
  createPgq,
  defineQueue,
  type EnqueueResult,
  type JobRecord,
  type Transaction,
  type Worker,
} from '@pgq/core'
import type { Express, Request, RequestHandler, Response, Router } from 'express'
import type { Server } from 'node:http'
import type pg from 'pg'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  getPgq,
  gracefulShutdown,
  healthRouter,
  jobStatusRouter,
  jobView,
  pgqMiddleware,
  type Reply,
  type RequestQueue,
  type ShutdownReport,
} from '../src/index.ts'

const pgq = createPgq({ connectionString: 'postgres://localhost/none' })
const reports = defineQueue('report', { payload: z.object({ month: z.string() }) })
declare const req: Request
declare const res: Response
declare const client: pg.PoolClient

test('the import gives requests a queue', () => {
  expectTypeOf(req.pgq).toEqualTypeOf<RequestQueue>()
  expectTypeOf(getPgq(req)).toEqualTypeOf<RequestQueue>()
  expectTypeOf(pgqMiddleware(pgq)).toEqualTypeOf<RequestHandler>()
  expectTypeOf(jobStatusRouter(pgq)).toEqualTypeOf<Router>()
  expectTypeOf(healthRouter(pgq)).toEqualTypeOf<Router>()
})

test('a payload is checked as pgq checks it', () => {
  expectTypeOf(req.pgq.enqueue(reports, { month: 'May' })).toEqualTypeOf<Promise<EnqueueResult>>()
  expectTypeOf(req.pgq.enqueueMany(reports, [{ month: 'May' }])).toEqualTypeOf<Promise<EnqueueResult[]>>()
  expectTypeOf(req.pgq.transaction(async (tx) => tx)).toEqualTypeOf<Promise<Transaction>>()
  void req.pgq.enqueue(reports, { month: 'May' }, { tx: client, delay: '5m' })
  // @ts-expect-error -- not a month
  void req.pgq.enqueue(reports, { month: 5 })
  // @ts-expect-error -- not a duration
  void req.pgq.enqueue(reports, { month: 'May' }, { delay: '5 minutes' })
  // @ts-expect-error -- not payloads
  void req.pgq.enqueueMany(reports, [{}])
})

test('accepted takes what enqueue returned, or a record', () => {
  req.pgq.accepted(res, { id: '1', deduplicated: false }, { month: 'May' })
  const record = {} as JobRecord
  req.pgq.accepted(res, record)
  // @ts-expect-error -- the promise was not awaited
  req.pgq.accepted(res, req.pgq.enqueue(reports, { month: 'May' }))
})

test('idempotent work is done in a transaction, and answers with a reply', () => {
  const reply = req.pgq.idempotent(async (tx) => {
    expectTypeOf(tx).toEqualTypeOf<Transaction>()
    return { status: 201, body: { at: new Date() } }
  })
  expectTypeOf(reply).toEqualTypeOf<Promise<Reply>>()
  void req.pgq.idempotent(client, async () => req.pgq.acceptedReply({ id: '1' }), { required: true })
  // @ts-expect-error -- what has no value is left out
  void req.pgq.idempotent(async () => ({ headers: { Location: undefined } }))
  // @ts-expect-error -- no reply
  void req.pgq.idempotent(async () => 'done')
  // @ts-expect-error -- the answer has to be sent, after COMMIT
  req.pgq.send(res, { status: 201 })
  // @ts-expect-error -- whose key is it?
  pgqMiddleware(pgq, { idempotency: { required: true } })
  pgqMiddleware(pgq, { idempotency: { scope: (one) => one.ip ?? 'nobody', ttl: '1d' } })
})

test('options have known names and types', () => {
  jobStatusRouter(pgq, {
    authorize: async (one, job) => job.metadata['owner'] === one.get('X-User'),
    expose: (job) => ({ ...jobView(job), error: job.error }),
  })
  jobStatusRouter(pgq, { authorize: () => true, expose: async (job) => ({ state: job.status }) })
  // @ts-expect-error -- an id is not a yes
  jobStatusRouter(pgq, { authorize: (_req, job) => job.id })
  // @ts-expect-error -- misspelt
  jobStatusRouter(pgq, { authorise: () => true })
  // @ts-expect-error -- not a duration
  pgqMiddleware(pgq, { retryAfter: 'soon' })
})

test('a shutdown can be called by hand', () => {
  // @ts-expect-error -- the application is not the server
  gracefulShutdown({ server: {} as Express, pgq })
  // @ts-expect-error -- a list of them
  gracefulShutdown({ server: {} as Server, pgq, workers: {} as Worker })
  // @ts-expect-error -- a list of them
  healthRouter(pgq, { workers: {} as Worker })
  const shutdown = gracefulShutdown({ server: {} as Server, pgq, pools: [{} as pg.Pool] })
  expectTypeOf(shutdown).toEqualTypeOf<() => Promise<ShutdownReport>>()
})
