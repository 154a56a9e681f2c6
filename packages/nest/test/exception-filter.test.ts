import { Body, Controller, Get, Param, Post } from '@nestjs/common'
import { APP_FILTER } from '@nestjs/core'
import { defineQueue, type Pgq, PgqError } from '@pgq/core'
import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import {
  getPgqToken,
  InjectPgq,
  InjectQueue,
  PgqExceptionFilter,
  PgqModule,
  QueueClient,
} from '../src/index.ts'
import { freshSchema } from './support/fresh-schema.ts'
import { startServer } from './support/start-app.ts'

const letters = defineQueue('letter', {
  payload: z.object({ to: z.string(), lines: z.array(z.string()).default([]) }),
})

@Controller()
class Letters {
  constructor(
    @InjectQueue(letters) private readonly queue: QueueClient<typeof letters>,
    @InjectPgq() private readonly pgq: Pgq,
  ) {}

  @Post()
  send(@Body() body: { to: string }) {
    return this.queue.enqueue(body)
  }

  @Get('jobs/:id')
  find(@Param('id') id: string) {
    return this.pgq.get(id)
  }

  @Get('code/:code')
  fail(@Param('code') code: string): never {
    const issues = [{ path: '$.secret', message: 'a secret of the house' }]
    const error = new PgqError(
      'INVALID_OPTION',
      'a secret of the house',
      code.startsWith('IDEM') ? {} : { issues },
    )
    throw Object.assign(error, { code })
  }

  @Get('other')
  other(): never {
    throw new Error('something else')
  }
}

async function serve() {
  const { options, ...fresh } = await freshSchema()
  const { app, url } = await startServer({
    imports: [
      PgqModule.forRoot({ ...options, worker: false, maxPayloadBytes: 1_000 }),
      PgqModule.forFeature([letters]),
    ],
    controllers: [Letters],
    providers: [{ provide: APP_FILTER, useClass: PgqExceptionFilter }],
  })
  const ask = async (path: string, body?: object) => {
    const response = await fetch(`${url}${path}`, {
      ...(body && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    })
    const { status, headers } = response
    return {
      status,
      type: headers.get('content-type'),
      retryAfter: headers.get('retry-after'),
      cache: headers.get('cache-control'),
      body: (await response.json()) as Record<string, unknown>,
    }
  }
  return { ...fresh, app, ask }
}

const PROBLEM = expect.stringContaining('application/problem+json') as string

test('a payload that its queue refuses is 422, and says what is wrong where', async () => {
  const { ask } = await serve()
  const answer = await ask('/', { to: 7, lines: ['Dear', 8] })
  expect(answer).toMatchObject({ status: 422, type: PROBLEM, cache: 'no-store', retryAfter: null })
  expect(answer.body).toMatchObject({
    type: 'urn:problem-type:pgq:invalid-payload',
    status: 422,
    errors: [
      { pointer: '#/to', detail: expect.any(String) as string },
      { pointer: '#/lines/1', detail: expect.any(String) as string },
    ],
  })
})

test('a payload that is too large is 413, an id that is none 400, and a letter is sent', async () => {
  const { ask } = await serve()
  expect(await ask('/', { to: 'x'.repeat(2_000) })).toMatchObject({
    status: 413,
    type: PROBLEM,
    body: { type: 'urn:problem-type:pgq:payload-too-large' },
  })
  expect(await ask('/jobs/nope')).toMatchObject({
    status: 400,
    type: PROBLEM,
    body: { type: 'urn:problem-type:pgq:invalid-id' },
  })
  expect((await ask('/', { to: 'Ada' })).status).toBe(201)
})

test('503 while the schema is missing, and when pgq was closed', async () => {
  const { ask, app, pool, schema } = await serve()
  await pool.query(`SET client_min_messages = warning; DROP SCHEMA ${schema} CASCADE`)
  const missing = await ask('/', { to: 'Ada' })
  expect(missing).toMatchObject({ status: 503, type: PROBLEM, retryAfter: '10' })
  expect(JSON.stringify(missing.body)).not.toContain(schema)
  await app.get<Pgq>(getPgqToken()).close()
  expect(await ask('/', { to: 'Ada' })).toMatchObject({ status: 503, retryAfter: '2' })
})

test.each([
  ['IDEMPOTENCY_KEY_REUSED', 422, null],
  ['IDEMPOTENCY_KEY_IN_USE', 409, '1'],
  ['DATABASE_UNAVAILABLE', 503, '2'],
  ['DATABASE_CONFLICT', 503, '2'],
  ['SCHEMA_TOO_OLD', 503, '10'],
  ['SCHEMA_TOO_NEW', 503, '10'],
])('%s is %d', async (code, status, retryAfter) => {
  const { ask } = await serve()
  const answer = await ask(`/code/${code}`)
  expect(answer).toMatchObject({ status, type: PROBLEM, retryAfter })
  expect(JSON.stringify(answer.body)).not.toContain('secret')
})

test('a mistake of the program is 500 as in Nest, and so is an error of something else', async () => {
  const { ask } = await serve()
  const own = { statusCode: 500, message: 'Internal server error' }
  for (const path of ['/code/INVALID_OPTION', '/code/DATABASE_REJECTED', '/code/UNHEARD_OF', '/other'])
    expect(await ask(path)).toMatchObject({ status: 500, body: own })
})

test('connections that break under requests are 503, and the next ones are served', async () => {
  const { schema } = await freshSchema()
  const pool = new pg.Pool({ connectionString: inject('databaseUrl'), application_name: schema, max: 2 })
  onTestFinished(() => pool.end())
  const { url } = await startServer({
    imports: [
      PgqModule.forRoot({ pool, schema, worker: false, logger: false }),
      PgqModule.forFeature([letters]),
    ],
    controllers: [Letters],
    providers: [{ provide: APP_FILTER, useClass: PgqExceptionFilter }],
  })
  const send = async (): Promise<number> => {
    const body = JSON.stringify({ to: 'Ada' })
    const headers = { 'content-type': 'application/json' }
    return (await fetch(url, { method: 'POST', headers, body })).status
  }
  const admin = new pg.Client({ connectionString: inject('databaseUrl') })
  await admin.connect()
  onTestFinished(() => admin.end())
  const blocker = await admin.query(`BEGIN; LOCK TABLE ${schema}.jobs IN ACCESS EXCLUSIVE MODE`)
  expect(blocker).toBeDefined()
  const waiting = send()
  for (let killed = 0; killed === 0;) {
    const { rowCount } = await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`,
      [schema],
    )
    killed = rowCount ?? 0
  }
  expect(await waiting).toBe(503)
  await admin.query('ROLLBACK')
  expect(await send()).toBe(201)
})
