import { Controller, Get } from '@nestjs/common'
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus'
import { defineQueue } from '@pgq/core'
import { expect, test } from 'vitest'
import { PgqModule, type PgqModuleOptions, Processor } from '../src/index.ts'
import { PgqHealthIndicator, type PgqHealthOptions } from '../src/terminus.ts'
import { freshSchema } from './support/fresh-schema.ts'
import { startServer } from './support/start-app.ts'
import { until } from '@pgq/test-support'

const letters = defineQueue('letter')
const parcels = defineQueue('parcel')
const isNest11 = process.env['NEST_MAJOR'] === '11'

interface Health {
  readonly http: number
  readonly status: string
  readonly details: Record<string, Record<string, unknown>>
}

/** An application with a health route, and the function that asks it. */
async function serve(options: PgqModuleOptions, health: PgqHealthOptions, providers: object[] = []) {
  @Controller('health')
  class HealthController {
    constructor(
      private readonly service: HealthCheckService,
      private readonly pgq: PgqHealthIndicator,
    ) {}
    @Get()
    @HealthCheck()
    check() {
      return this.service.check([() => this.pgq.check('jobs', health)])
    }
  }
  const { url, app } = await startServer({
    imports: [PgqModule.forRoot(options), TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController],
    providers: [PgqHealthIndicator, ...(providers as [])],
  })
  const ask = async (): Promise<Health> => {
    const response = await fetch(`${url}/health`)
    return { http: response.status, ...((await response.json()) as Omit<Health, 'http'>) }
  }
  return { ask, app }
}

@Processor(parcels)
class ParcelProcessor {
  process(): void {}
}

test('up: with a worker that runs, and in a process that has none', async () => {
  const { options, pgq } = await freshSchema()
  await pgq.enqueue(letters, {}) // which is due, and has not waited for long
  const working = await serve({ ...options, worker: true }, { maxOldestDue: '1m' }, [ParcelProcessor])
  expect(await working.ask()).toMatchObject({ http: 200, status: 'ok' })
  expect((await working.ask()).details).toEqual({ jobs: { status: 'up', worker: 'running' } })
  const api = await serve({ ...options, worker: false }, {}, [ParcelProcessor])
  expect(await api.ask()).toMatchObject({ http: 200, details: { jobs: { status: 'up', worker: 'none' } } })
})

test('degraded, and still 200, when jobs wait for longer than they should', async () => {
  const { options, pgq } = await freshSchema()
  const { ask } = await serve(options, { maxOldestDue: 50 })
  await pgq.enqueue(parcels, {}, { delay: '1h' })
  expect((await ask()).details['jobs']?.['status']).toBe('up')
  await pgq.enqueue(letters, {})
  const status = isNest11 ? 'up' : 'degraded'
  const late = await until('a job has waited', async () => {
    const health = await ask()
    return health.details['jobs']?.['behind'] ? health : undefined
  })
  const behind = { letter: expect.any(Number) as number }
  const message = 'jobs wait for too long in letter'
  expect(late).toMatchObject({ http: 200, details: { jobs: { status, worker: 'none', behind, message } } })
  const other = await serve(options, { maxOldestDue: 50, queues: [parcels] })
  expect((await other.ask()).details['jobs']).toEqual({ status: 'up', worker: 'none' })
})

test('down when the schema is gone', async () => {
  const { options, pool, schema } = await freshSchema()
  const { ask } = await serve(options, {})
  await pool.query(`SET client_min_messages = warning; DROP SCHEMA ${schema} CASCADE`)
  const health = await ask()
  expect(health).toMatchObject({
    http: 503,
    status: 'error',
    details: { jobs: { status: 'down', worker: 'none' } },
  })
  expect(health.details['jobs']?.['message']).toBe('SCHEMA_MISSING: the pgq schema is not in this database')
  expect(JSON.stringify(health)).not.toContain(schema)
})

test('down when the database is gone, without a word of where it was', async () => {
  const connectionString = 'postgres://127.0.0.1:9/nothing'
  const { ask } = await serve({ connectionString, migrate: 'off', logger: false }, {})
  const health = await ask()
  expect(health).toMatchObject({ http: 503, details: { jobs: { status: 'down', worker: 'none' } } })
  expect(health.details['jobs']?.['message']).toMatch(/^DATABASE_UNAVAILABLE: /)
  expect(JSON.stringify(health)).not.toContain('127.0.0.1')
})

test('down when the database does not answer in time', async () => {
  const { options, pool, schema } = await freshSchema()
  const { ask } = await serve(options, { timeout: 100 })
  const blocker = await pool.connect()
  await blocker.query(`BEGIN; LOCK TABLE ${schema}.migrations IN ACCESS EXCLUSIVE MODE`)
  const health = await ask()
  await blocker.query('ROLLBACK')
  blocker.release()
  expect(health).toMatchObject({
    http: 503,
    details: { jobs: { message: 'the database did not answer within 100 ms' } },
  })
})

test('down when the worker does not run', async () => {
  const { options, pgq } = await freshSchema()
  const { ask, app } = await serve({ pgq, logger: false, worker: true }, {}, [ParcelProcessor])
  expect((await ask()).http).toBe(200)
  const { connectionsOf } = await import('../src/connection.ts')
  const { ModulesContainer } = await import('@nestjs/core')
  await connectionsOf(app.get(ModulesContainer))[0]?.drain()
  expect(await ask()).toMatchObject({
    http: 503,
    details: { jobs: { status: 'down', message: 'the worker is stopped' } },
  })
  expect(options.schema).toBe(pgq.schema)
})

test('down when the claims of the worker hang, though it keeps its lease', async () => {
  const { options, pool, schema } = await freshSchema()
  const { ask } = await serve({ ...options, worker: { lease: '2s' } }, { stalledAfter: '1s' }, [
    ParcelProcessor,
  ])
  expect((await ask()).http).toBe(200)
  const blocker = await pool.connect()
  await blocker.query(`BEGIN; LOCK TABLE ${schema}.jobs_waiting IN ACCESS EXCLUSIVE MODE`)
  const health = await until('it is noticed', async () => {
    const now = await ask()
    return now.http === 503 && now
  })
  await blocker.query('ROLLBACK')
  blocker.release()
  expect(health.details['jobs']).toEqual({
    status: 'down',
    worker: 'running',
    message: 'the worker is stalled: its claims make no progress',
  })
})

test('options that are wrong', async () => {
  const { options } = await freshSchema()
  const { app } = await serve(options, {})
  const indicator = app.get(PgqHealthIndicator)
  await expect(indicator.check('jobs', { maxOldestDue: 'soon' as '1m' })).rejects.toThrow(
    'maxOldestDue is "soon"',
  )
  await expect(indicator.check('jobs', { connection: 'other' })).rejects.toThrow(
    'no connection "other": there is "default"',
  )
  for (const queues of ['letter', [7], [undefined]]) {
    await expect(indicator.check('jobs', { queues: queues as never })).rejects.toMatchObject({
      code: expect.stringMatching(/^INVALID_/) as string,
    })
  }
  await expect(indicator.check('jobs', { maxOldest: 1 } as object)).rejects.toThrow(
    'has no option "maxOldest"',
  )
})
